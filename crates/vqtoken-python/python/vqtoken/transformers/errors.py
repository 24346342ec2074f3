"""What the drop-in refuses."""

from .. import _vqtoken as native


class UnsupportedModelError(native.Error, TypeError):
    """The model or processor is none of the supported kinds."""


class PatchError(native.Error, RuntimeError):
    """A model is reduced twice, or was changed by somebody else in the meantime."""


class PlaceholderError(native.Error, ValueError):
    """The prompt has more or fewer video placeholders than the videos can fill."""
