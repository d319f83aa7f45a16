"""Those who look at a tallyd while it is measured: open streams, and a page whose list of series is open."""

import contextlib
import http.client
import json
import selectors
import socket
import threading

from processes import BenchError


class Watchers:
    """Use it in a `with`. Raises at its end if anything that it asked for did not come: then nothing was measured."""

    def __init__(self, port, streams):
        self._port = port
        self._open = [self._ask_stream() for _ in range(streams)]
        self._windows = dict.fromkeys(self._open, 0)
        self._page_answers = 0
        self._fault = None
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._guarded, args=(work,)) for work in (self._read, self._page)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for stream in self._open:
            stream.close()
        if kind is None:
            self._check()

    def _check(self):
        if self._fault:
            raise BenchError(f"who looked on was not served: {self._fault}")
        if min(self._windows.values()) == 0 or self._page_answers == 0:
            raise BenchError(f"who looked on saw too little: windows of each stream {list(self._windows.values())}, "
                             f"{self._page_answers} answers for the page")

    def _ask_stream(self):
        stream = socket.create_connection(("127.0.0.1", self._port))
        stream.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
        return stream

    def _guarded(self, work):
        try:
            work()
        except (OSError, ValueError, BenchError, http.client.HTTPException) as error:
            self._fault = repr(error)

    def _read(self):
        with selectors.DefaultSelector() as selector:
            for stream in self._open:
                selector.register(stream, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    came = key.fileobj.recv(1 << 18)
                    if not came:
                        raise BenchError("a stream was closed")
                    self._windows[key.fileobj] += came.count(b"event: window")

    def _page(self):
        """What page.js asks for at each window while its list is sorted by rate and one series is open."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as page:
            while not self._stop.wait(1):
                self._get(page, "ledger")
                rows = self._get(page, "series?sort=rate&limit=100")["series"]
                if rows:
                    self._get(page, f"series/{rows[0]['id']}")
                    self._page_answers += 1

    @staticmethod
    def _get(page, path):
        page.request("GET", f"/api/v1/{path}")
        answer = page.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"{path}: {answer.status} {body[:200]!r}")
        return json.loads(body)
