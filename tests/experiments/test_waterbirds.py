import e2kd_lab as lab


def test_paper_scale_is_the_papers_recipe():
    paper = lab.experiments.get("waterbirds", "paper")
    assert (paper.teacher, paper.student, paper.epochs, paper.batch_size) == ("resnet50", "resnet18", 700, 64)
    assert (paper.lr, paper.weight_decay, paper.warmup_epochs, paper.clip_norm) == (0.01, 1e-4, 5, 1)
    assert paper.with_setting("long").epochs == 3500
    assert paper.with_setting("mixup").mixup == 1
    grid = {(e.tau, e.lam) for e in paper.grid("e2kd")}
    assert grid == {(tau, lam) for tau in (1, 5) for lam in (1, 5, 10, 15)}
