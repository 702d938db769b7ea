"""The command `responsys`: one module a command, loaded only when it is called."""
