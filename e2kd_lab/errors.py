"""The errors that a user of the lab can cause: each message is one sentence with the place and the expectation."""


class LabError(Exception):
    """Base of all errors that the lab explains by itself; the command line prints the message alone."""


class DataError(LabError):
    """A data set is missing, damaged or not in its layout."""


class CheckpointError(LabError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class ExperimentError(LabError):
    """An experiment asks for something that does not exist or does not fit together."""


class RunError(LabError):
    """A run's folder cannot be used: held by another process, damaged, or not writable."""


class TrainingError(LabError):
    """Training cannot go on, for instance because the loss is not a number."""
