"""Reading `responsys.yaml` into frozen models."""
