"""Answers `shiftcli` commands from a process that has imported all that they need.

Importing torch takes seconds, and the commands of README and docs are many. The server forks for
each: the child takes the caller's arguments, folder, environment and standard streams, and calls
what the console script calls.

    python fork_server.py SOCKET               serves, until its standard input ends
    python fork_server.py SOCKET ARGUMENT...   runs `shiftcli ARGUMENT...` there
"""

import json
import os
import signal
import socket
import sys
import threading


def call(address, arguments):
    """Run one command in the server; its exit status."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        order = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [len(order).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(order)
        status = server.recv(1)
    return status[0] if status else 1


def serve(address):
    """Fork for each call, until standard input ends."""
    import ase.io  # noqa: F401
    import gemmi  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401
    import scipy.optimize  # noqa: F401
    import spglib  # noqa: F401
    import torch  # noqa: F401

    import shiftcli.cli.app
    import shiftcli.prediction.predictor
    import shiftcli.training
    import shiftcli.views

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        threading.Thread(target=_until_input_ends, daemon=True).start()
        while True:
            caller, _ = server.accept()
            with caller:
                if os.fork() == 0:
                    server.close()
                    os._exit(_answer(caller, shiftcli.cli.main))


def _until_input_ends():
    while os.read(0, 1):
        pass
    os._exit(0)


def _answer(caller, main):
    """In the child: become the caller, as far as a program can tell, and run `main`."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(caller, 4, 3)
    order = b""
    while len(order) < int.from_bytes(head, "big"):
        order += caller.recv(65536)
    arguments, folder, environment = json.loads(order)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # New objects, since those of the server know whether it wrote to a terminal, pipe or file.
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "w" if n else "r") for n in range(3))
    sys.argv = ["shiftcli", *arguments]
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(bytes([status]))
    return status


if __name__ == "__main__":
    place, *rest = sys.argv[1:]
    sys.exit(call(place, rest) if rest else serve(place))
