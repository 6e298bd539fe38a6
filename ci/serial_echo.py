"""A serial port for Wine that sends back what is written to it: python3 ci/serial_echo.py "$WINEPREFIX/dosdevices/com9".

A pseudo-terminal is a serial port to Wine if a link in `dosdevices` leads to it.
"""

import os
import pty
import sys
import tty

ours, theirs = pty.openpty()
tty.setraw(theirs)
link = sys.argv[1]
if os.path.islink(link):
    os.unlink(link)
os.symlink(os.ttyname(theirs), link)
while data := os.read(ours, 100):
    os.write(ours, data)
