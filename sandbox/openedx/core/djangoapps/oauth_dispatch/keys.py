"""The key pair that signs the sandbox's tokens."""

import os
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwcrypto.jwk import JWK, JWKSet


def signing_keys(path):
    """Return the private key (PEM) kept in a file, made on first use, and the set of public keys (JSON)."""
    # Not HS256: edx-drf-extensions takes a token without verifying it where no public key is configured.
    if not path.exists():
        _create(path)
    pem = path.read_bytes()
    public = JWKSet()
    public.add(JWK.from_pem(pem))
    return pem.decode(), public.export(private_keys=False)


def _create(path):
    """Write a new key. Several processes may start at once: the file appears whole, and the first one stays."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.write_bytes(pem)
    draft.chmod(0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
