# Sourced by the four scripts: makes sure of a Python before anything else can be explained in it.
if ! command -v python3 >/dev/null; then
    install="apt-get install -y --no-install-recommends python3"
    if [ "$(id -u)" = 0 ]; then become=; elif command -v sudo >/dev/null; then become=sudo; else
        echo "python3 is missing, and there is neither root nor sudo; type as root: $install" >&2
        exit 1
    fi
    echo "installing python3" >&2
    $become $install >/dev/null || { $become apt-get update >/dev/null && $become $install >/dev/null; } || {
        echo "could not install python3; type: sudo apt-get update && sudo $install" >&2
        exit 1
    }
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))'; then
    echo "$(python3 --version) is older than 3.9: put a newer python3 on the PATH" >&2
    exit 1
fi
export PYTHONDONTWRITEBYTECODE=1
