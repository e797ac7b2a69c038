"""The views, one module a noun. Each checks the shape of what came, asks one service or selector, and gives the answer's shape."""
