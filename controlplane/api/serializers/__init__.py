"""Shapes of requests and answers, one module a noun. Shape is all that they check; meaning is the services' business."""
