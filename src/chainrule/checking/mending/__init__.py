"""The line to write: small changes to a user's own code, tried until its gradients are right."""
