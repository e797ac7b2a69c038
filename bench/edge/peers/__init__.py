"""What others would take, each doing what our edge does as far as it can: key, tenant, limits, an answer with headers."""
