"""Methods by name, with values for whichever hyper-parameters they have."""

from e2kd_lab.methods import build_method, has_hyperparameter


def method_of(name, student, teacher=None, *, lam=None, tau=None, **options):
    """A method; ``lam`` and ``tau`` count where it has them."""
    given = {key: value for key, value in (("lam", lam), ("tau", tau)) if value is not None}
    return build_method(
        name, student, teacher, **options, **{key: v for key, v in given.items() if has_hyperparameter(name, key)}
    )
