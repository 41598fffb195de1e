"""What `datebook doctor` looks at: each part answers with findings, and each bad one has its cure."""
