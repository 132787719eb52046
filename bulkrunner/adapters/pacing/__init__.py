"""How fast an environment is asked, alone and beside other processes."""
