"""ClickHouse's own engine (chdb) behind as much of its HTTP protocol as the sink uses: server.py FOLDER

Prints the port it listens on, on 127.0.0.1, and ends with its standard input."""
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

engine = session.Session(sys.argv[1])
lock = threading.Lock()
PROTOCOL = {"query", "wait_end_of_query", "select_sequential_consistency"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        params = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}
        rows = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        statement = params["query"]
        settings = ", ".join(f"{k} = '{v}'" for k, v in params.items() if k not in PROTOCOL)
        if statement.startswith("INSERT"):
            statement = statement.replace(" FORMAT ", f" SETTINGS {settings} FORMAT ", 1) + "\n" + rows
        try:
            with lock:
                status, answer = 200, str(engine.query(statement))
        except Exception as e:  # noqa: BLE001: whatever it is, the client is told
            status, answer = 500, str(e)
        body = answer.encode()
        try:
            self.reply(status, answer, body)
        except BrokenPipeError:
            pass  # the client was killed

    def reply(self, status, answer, body):
        self.send_response(status)
        code = re.search(r"Code: (\d+)", answer)
        if status != 200 and code:
            self.send_header("X-ClickHouse-Exception-Code", code.group(1))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
