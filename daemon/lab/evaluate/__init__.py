"""How good the models are: figures, tables, reports."""
