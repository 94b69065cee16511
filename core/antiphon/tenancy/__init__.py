"""Who may see and do what: scoping, users, passwords and access tokens."""
