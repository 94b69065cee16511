"""Speech engines. The first is Piper: neural voices that speak on this machine, offline."""
