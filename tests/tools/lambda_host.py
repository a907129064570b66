"""AWS Lambda on this machine: turns HTTP into the events that AWS documents, and what the handler gives into answers.

Run with nothing but the standard library: lambda_host.py FOLDER url|rest|alb PORT. The folder's own handler.py finds
what it needs in the folder. The shapes are those of
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads,
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html and
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html.
"""

from __future__ import annotations

import base64
import importlib
import sys
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

Event = dict[str, Any]


def of_url(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of a function URL, which is that of API Gateway's HTTP API in its format 2.0."""
    joined = {name.lower(): ",".join(headers.get_all(name) or []) for name in headers if name.lower() != "cookie"}
    cookies = [cookie.strip() for line in headers.get_all("Cookie") or [] for cookie in line.split(";")]
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {**joined, "x-forwarded-proto": "http", "x-forwarded-for": "203.0.113.7"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "urlid",
            "domainName": headers["Host"],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": headers.get("User-Agent", ""),
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    return event | ({"cookies": cookies} if cookies else {})


def of_rest(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of API Gateway's REST API: the path is decoded, and so is the query."""
    many = {name: headers.get_all(name) or [] for name in headers} | {"X-Forwarded-Proto": ["http"]}
    queries = parse_qs(query, keep_blank_values=True)
    return {
        "resource": "/{proxy+}",
        "path": unquote(path),
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
        "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
        "multiValueQueryStringParameters": queries or None,
        "pathParameters": {"proxy": unquote(path).lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/prod{unquote(path)}",
            "stage": "prod",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": headers.get("User-Agent", "")},
            "requestId": "id",
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def of_alb(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of a load balancer with multi-value headers."""
    many = {name.lower(): headers.get_all(name) or [] for name in headers}
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-north-1:1:targetgroup/site/1"}},
        "httpMethod": method,
        "path": path,
        "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True),
        "multiValueHeaders": many | {"x-forwarded-proto": ["http"], "x-forwarded-for": ["203.0.113.7"]},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


EVENTS: dict[str, Callable[[str, str, str, Message, bytes], Event]] = {"url": of_url, "rest": of_rest, "alb": of_alb}


def headers_of(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Gives the headers of what a handler gave, as AWS sends them."""
    found = [(name, value) for name, value in (answer.get("headers") or {}).items()]
    found += [(name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in values]
    return found + [("Set-Cookie", cookie) for cookie in answer.get("cookies") or []]


def body_of(answer: dict[str, Any]) -> bytes:
    """Gives the body of what a handler gave."""
    text: str = answer.get("body") or ""
    return base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()


def main(folder: str, kind: str, port: str) -> None:
    """Serves until it is killed."""
    sys.path.insert(0, folder)
    handler = importlib.import_module("handler").handler

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            answer = handler(EVENTS[kind](self.command, path, query, self.headers, body), None)
            content = body_of(answer)
            self.send_response_only(answer["statusCode"])
            for name, value in headers_of(answer):
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_any

    HTTPServer(("127.0.0.1", int(port)), Gateway).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
