"""Who may see and do what: scoping, clients, users, passwords, sessions and tokens."""
