"""Turns texts into vectors: where the weights are, their export to ONNX, and the session."""
