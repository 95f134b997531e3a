"""What a check looks at: gradients in every setting, special inputs, what calls leave behind, a user's own check."""
