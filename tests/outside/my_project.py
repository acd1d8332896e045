"""A stranger's project in one file: a network, an explanation, a method, data, a watcher and a measure.

It uses public names of the lab only; each addition is one call or one class.
"""

import os

import torch
from torch import nn
from torch.nn import functional as F

import e2kd_lab as lab


@lab.register_model("strangers_net")
def my_net(num_classes):
    """A plain network of nobody's library."""
    features = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.SiLU()
    )
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, num_classes))


@lab.register_explanation("strangers_layercam")
class LayerCAM(lab.explanations.FeatureMapExplanation):
    def weigh(self, features, gradients):
        return (gradients.relu() * features).sum(1, keepdim=True).relu()


@lab.register_method("strangers_dkd", title="DKD", colour="#7A5195", grid={"beta": [1.0, 2.0, 8.0]})
class DKD(lab.methods.Distiller):
    """Decoupled knowledge distillation (Zhao et al., CVPR 2022)."""

    alpha: float = 1.0
    beta: float = 8.0
    tau: float = 4.0

    def step(self, batch):
        student, teacher = self.student_logits(batch), self.teacher_logits(batch)
        own = F.one_hot(batch.labels, student.shape[1]).bool()
        p_s, p_t = (F.softmax(logits / self.tau, 1) for logits in (student, teacher))
        two_s, two_t = (torch.stack([p[own], 1 - p[own]], 1).clamp_min(1e-9) for p in (p_s, p_t))
        target = F.kl_div(two_s.log(), two_t, reduction="batchmean")
        rest_s, rest_t = (F.log_softmax((z / self.tau).masked_fill(own, -1e4), 1) for z in (student, teacher))
        others = F.kl_div(rest_s, rest_t, reduction="batchmean", log_target=True)
        kd = self.tau**2 * (self.alpha * target + self.beta * others)
        label_loss = self.label_loss(student, batch.labels)
        return {"loss": label_loss + kd, "label_loss": label_loss, "kd_loss": kd}


class LossKeeper(lab.Watcher):
    """Keeps what it is told."""

    def __init__(self):
        self.losses = []

    def on_step(self, step, losses):
        self.losses.append(losses["loss"].item())


def mean_confidence(predictions):
    """Mean probability of the predicted class."""
    return predictions.logits.softmax(1).max(1).values.mean().item()


if "MY_PICTURES" in os.environ:
    birds = lab.experiments.own(
        "birds",
        data=os.environ["MY_PICTURES"],
        teacher="strangers_net",
        student="strangers_net",
        image_size=32,
        epochs=2,
        batch_size=8,
    )
