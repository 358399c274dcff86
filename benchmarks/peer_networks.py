"""The networks that utsr-light is compared with, with fresh weights, for one channel.

spandrel's architectures of SwinIR-light (Liang et al., ICCV workshops 2021) and of Real-ESRGAN's compact network (Wang
et al., ICCV workshops 2021).
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from torch import nn


def peers(scale: int) -> dict[str, nn.Module]:
    """Build SwinIR-light and the compact network for one channel, as their papers set them."""
    if find_spec("torchvision") is None:
        # spandrel imports it for two architectures that are not measured here.
        sys.path.append(str(Path(__file__).parent / "stand_in"))
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.SwinIR import SwinIR

    return {
        "SwinIR-light": SwinIR(
            upscale=scale,
            in_chans=1,
            img_size=64,
            window_size=8,
            embed_dim=60,
            depths=[6, 6, 6, 6],
            num_heads=[6, 6, 6, 6],
            mlp_ratio=2,
            upsampler="pixelshuffledirect" if scale > 1 else "",
            resi_connection="1conv",
        ),
        "Real-ESRGAN compact": Compact(
            num_in_ch=1, num_out_ch=1, num_feat=64, num_conv=16, upscale=scale, act_type="prelu"
        ),
    }
