"""What the suites written in Python share: real processes to talk to. It knows no test and counts nothing."""
