#!/usr/bin/env python3
"""A service manager's end of sd_notify(3): Node has no datagram sockets with a path.

    notify.py PATH     a line of JSON, [pid of the sender, message], for each, until killed
"""

import json
import socket
import struct
import sys

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
manager.bind(sys.argv[1])
print(json.dumps([0, "listening"]), flush=True)
while True:
    message, [(_, _, credentials)], _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(12))
    pid, _, _ = struct.unpack("iii", credentials)
    print(json.dumps([pid, message.decode()]), flush=True)
