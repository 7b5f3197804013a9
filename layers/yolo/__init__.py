"""YOLO's layers: boxes that every cell of a grid predicts, from anchors."""
