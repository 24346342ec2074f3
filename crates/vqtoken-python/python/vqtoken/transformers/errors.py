"""What the drop-in refuses."""

from ..errors import Error


class UnsupportedModelError(Error, TypeError):
    """The model or processor is none of the supported kinds."""


class PatchError(Error, RuntimeError):
    """A model is reduced twice, or was changed by somebody else in the meantime."""


class PlaceholderError(Error, ValueError):
    """The prompt has more or fewer video placeholders than the videos can fill."""
