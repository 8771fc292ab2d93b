"""The HTTP interface of ClickHouse, as far as `sekisho export --clickhouse` speaks it, in front of the engine of chdb: POST
/?query=...&insert_deduplication_token=..., the data of an insert behind it. Answers like the server: 200, or the text of
the exception with its code in X-ClickHouse-Exception-Code. What goes wrong on the way can be had by `trouble`."""
import http.server
import re
import ssl
import threading
import urllib.parse


class Front:
    """trouble(number, statement): None, "close" before the engine sees the request, "lose" the answer, or (status, code)."""

    def __init__(self, session, trouble=None, user=None, password=None, tls=None):
        self.session, self.trouble, self.user, self.password = session, trouble, user, password
        self.requests, self.tokens, self.lock = [], [], threading.Lock()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                front.answer(self, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)), body)

            def say(self, status, body, code=None):
                self.send_response(status)
                if code is not None:
                    self.send_header("X-ClickHouse-Exception-Code", str(code))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, parameters, body):
        statement = parameters["query"]
        self.requests.append(statement)
        trouble = self.trouble(len(self.requests), statement) if self.trouble else None
        if trouble == "close":
            handler.close_connection = True
            return
        if isinstance(trouble, tuple):
            handler.say(trouble[0], b"Code: %d. DB::Exception: planned\n" % (trouble[1] or 0), trouble[1])
            return
        if self.user is not None and (handler.headers.get("X-ClickHouse-User"), handler.headers.get("X-ClickHouse-Key")) != (
                self.user, self.password):
            handler.say(403, b"Code: 516. DB::Exception: Authentication failed\n", 516)
            return
        code, text = self.run(statement, parameters, body)
        if trouble == "lose":
            handler.close_connection = True
            return
        handler.say(200 if code is None else 500, text, code)

    def run(self, statement, parameters, body):
        """(None, answer) or (code, exception)"""
        insert = statement.startswith("INSERT")
        form = re.search(r" FORMAT (\w+)$", statement)
        statement = statement[:form.start()]
        settings = [f"{name}='{value}'" for name, value in parameters.items() if name not in ("query", "wait_end_of_query", "database")]
        if insert and settings:
            self.tokens.append(parameters.get("insert_deduplication_token"))
            statement += " SETTINGS " + ", ".join(settings)
        try:
            with self.lock:
                if not insert:
                    return None, self.session.query(statement, form[1]).bytes() or b""
                with self.session.send_insert(statement, form[1]) as stream:
                    stream.append(body)
                    stream.finish()
                return None, b""
        except Exception as why:  # what the engine raises has its code in the text
            code = re.search(r"Code: (\d+)", str(why))
            return int(code[1]) if code else 1002, str(why).encode()
