"""What the classifier's parts raise."""


class ClassifierError(Exception):
    """The classifier cannot be made, or does not give the answers that it must."""
