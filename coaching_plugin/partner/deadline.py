"""How long may an answer take in all? A timeout begins anew with each byte that comes, and a byte may come for ever."""

import socket
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class DeadlineAdapter(HTTPAdapter):
    """
    For a session of ``requests`` whose ``timeout`` is also the time in which an answer has to come, headers and all.

    To connect, for TLS and to send, the timeout is of the whole already. The body of an answer is the caller's matter.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool of connections, of our kind."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of connections by way of a proxy, of our kind, too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Deadline:
    """A connection that ends once the time is over, though there is an answer of which more and more comes."""

    sock: Any
    timeout: Any

    def getresponse(self) -> Any:
        """Return the answer, without its body. Raises ``TimeoutError``, as it does where nothing comes at all."""
        over = threading.Event()
        timer = threading.Timer(self.timeout, _cut, [self.sock, over])
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()  # type: ignore[misc]
        except Exception:
            if over.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        # Headers that end with the connection look complete.
        if over.is_set():
            raise TimeoutError
        return response


def _cut(sock: Any, over: threading.Event) -> None:
    over.set()
    try:
        # Below TLS, whose own shutdown is not meant for another thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except (OSError, TypeError):
        # Closed meanwhile; or TLS within the TLS of a proxy, which is no socket.
        pass


class _PlainConnection(_Deadline, HTTPConnection):
    pass


class _TLSConnection(_Deadline, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _PlainPool, "https": _TLSPool}
