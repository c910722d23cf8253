"""Typed models of every kind; crds/ is generated from them (see api.crd)."""
