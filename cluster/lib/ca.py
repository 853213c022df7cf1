"""A local certificate authority, and P-256 certificates for the names of this machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from prepare import Fault

NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
DAYS = 365
RENEW_BEFORE = 30 * 86400


def openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Fault(f"openssl {words[0]} failed:\n    " + done.stdout.strip()[-600:])


def is_good(certificate: Path, key: Path, authority: Path) -> bool:
    """There, of this authority, and not about to expire."""
    if not (certificate.exists() and key.exists() and authority.exists()):
        return False
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return (subprocess.run(["openssl", "x509", "-checkend", str(RENEW_BEFORE), "-noout", "-in", str(certificate)],
                           **quiet).returncode == 0
            and subprocess.run(["openssl", "verify", "-CAfile", str(authority), str(certificate)],
                               **quiet).returncode == 0)


def make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(file))
    os.chmod(file, 0o600)


def make_authority(certificate: Path) -> None:
    """The authority's key lies beside its certificate; both are kept from run to run."""
    key = certificate.with_name("ca.key")
    if is_good(certificate, key, certificate):
        return
    make_key(key)
    openssl("req", "-x509", "-new", "-key", str(key), "-sha256", "-days", str(DAYS * 10),
            "-subj", f"/CN=Reileta local authority {time.strftime('%Y-%m-%d')}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-out", str(certificate))


def make_certificate(certificate: Path, key: Path, authority: Path) -> None:
    """A certificate for this machine's loopback names, signed by the authority."""
    if is_good(certificate, key, authority):
        return
    make_key(key)
    with tempfile.TemporaryDirectory() as folder:
        request, extensions = Path(folder, "request.pem"), Path(folder, "extensions")
        extensions.write_text(f"subjectAltName={NAMES}\nbasicConstraints=critical,CA:FALSE\n"
                              "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-new", "-key", str(key), "-subj", "/CN=localhost", "-out", str(request))
        openssl("x509", "-req", "-in", str(request), "-sha256", "-days", str(DAYS), "-extfile", str(extensions),
                "-CA", str(authority), "-CAkey", str(authority.with_name("ca.key")), "-CAcreateserial",
                "-out", str(certificate))
