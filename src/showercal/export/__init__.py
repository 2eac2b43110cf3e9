"""Export: a fitted method with its calibration as one ONNX graph, for any program that runs those."""

from showercal.export._export import export_method

__all__ = ["export_method"]
