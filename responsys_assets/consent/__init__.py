"""The consent ledger: what accepted exports say of consent, until a person takes it back."""
