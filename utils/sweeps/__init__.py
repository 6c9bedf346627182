"""Many runs: suites, their processes and their states; SWAP is one of them."""
