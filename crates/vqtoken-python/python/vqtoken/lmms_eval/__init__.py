"""The model `vqtoken_rs` of lmms-eval, which finds it by an entry point of the group `lmms_eval.models`.

    lmms-eval --model vqtoken_rs --model_args pretrained=models/mini,tokens=32 --tasks videomme

| file | what |
| --- | --- |
| `model.py` | the model: its arguments, and answers to lmms-eval's requests |
| `request.py` | a request as a video and a question |
"""

from lmms_eval.models.registry_v2 import ModelManifest

MANIFEST = ModelManifest(model_id="vqtoken_rs", chat_class_path="vqtoken.lmms_eval.model.VqTokenRs")
"""What the entry point names. The class is imported when a run asks for it."""

__all__ = ["MANIFEST"]
