"""Runs one stand-in: `launch.py ROOT MODULE ARG…`, or run(MODULE, ROOT) from a command in DIR/usr/bin."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import box  # noqa: E402


def run(module, root, args=None):
    args = sys.argv[1:] if args is None else args
    try:
        code = __import__(module).main(box.Box(root), args)
    except box.Error as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        code = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code or 0)


if __name__ == "__main__":
    run(sys.argv[2], sys.argv[1], sys.argv[3:])
