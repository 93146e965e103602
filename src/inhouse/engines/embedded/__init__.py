"""The engine that this program carries itself: llama.cpp's server in a supervised child process."""
