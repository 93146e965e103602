"""What `inhouse doctor` looks at. A check returns findings; it changes nothing and never raises."""
