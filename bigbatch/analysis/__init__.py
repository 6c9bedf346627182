"""What is measured on trained networks, after training."""
