"""The field's terms, a sentence each, for tooltips, table headings and notebooks."""

from __future__ import annotations

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "agreement": "How often student and teacher predict the same class, right or wrong.",
    "in-distribution": "Images with the usual background: landbirds on land, waterbirds on water.",
    "out-of-distribution": "Images with the unusual background (OOD): landbirds on water, waterbirds on land.",
    "worst group": "The group of images, such as landbirds on water, with the lowest value.",
    "GradCAM": "A heatmap of the last feature map, weighted by the gradient of a logit; for standard networks.",
    "W(x)": "The weights by which a B-cos network multiplies the image to get a logit; e²KD distils them.",
    "contributions": "What each pixel adds to the logit of a B-cos network: its weights in W(x) times its values.",
    "L2 norm": "Maps are divided by their L2 norm, the root of the sum of squares: e²KD compares directions only.",
    "explanation cosine": "Cosine of the student's and the teacher's map, from -1 to 1; 1 is the same direction.",
    "λ": "Weight of the explanation loss beside the distillation loss in Eq. 2; with 0, e²KD is KD.",
    "τ": "Temperature: logits are divided by it before the softmax, so that larger values soften the targets.",
    "1/K": "Probability of a class if all K classes are equally likely.",
    "EPG": "Energy pointing game: the share of a map's positive part that lies within the object's box.",
    "IoU": "Intersection over union of a map's pixels above a threshold and the object's box.",
    "shots": "Training images per class that the student sees.",
    "frozen": "The teacher's logits and maps are computed once, before training, and not on each augmented image.",
    "seed": "Number that fixes the random initial weights and the order of the images.",
}
