"""What a job is and when it may run; standard library only, no input or output."""
