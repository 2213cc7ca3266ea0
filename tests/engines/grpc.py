# SPDX-License-Identifier: Apache-2.0
"""As much of gRPC as one unary call over a unix socket needs; messages are lists of fields.

Enough of HTTP/2 (RFC 9113): one stream per connection, headers as literals without an index
(RFC 7541, 6.2.2), no flow control, for our messages are small and theirs fit into the window that
is asked for.  Their headers are compressed and not read: an error is a response without a message.
"""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, RST_STREAM, GOAWAY = 0, 1, 4, 6, 3, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW = struct.pack("!HI", 4, 1 << 24)   # SETTINGS_INITIAL_WINDOW_SIZE


class Refused(Exception):
    """The server answered with an error, or not at all."""


# ---- protobuf --------------------------------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(fields):
    """{number: value}: int, bool, str, bytes, a dict for a message, a list for a repeated field."""
    out = b""
    for number, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int):
                out += varint(number << 3) + varint(one)
                continue
            if isinstance(one, dict):
                one = encode(one)
            elif isinstance(one, str):
                one = one.encode()
            out += varint(number << 3 | 2) + varint(len(one)) + one
    return out


def pairs(table):
    """A map field: one message {key, value} for each."""
    return [{1: key, 2: value} for key, value in table.items()]


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def decode(data):
    """{number: [value, …]}: integers, and bytes for everything that has a length."""
    fields, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def get(data, *path, default=None):
    """The first value at a path of field numbers in an encoded message."""
    for number in path:
        values = decode(data).get(number)
        if not values:
            return default
        data = values[0]
    return data


# ---- HTTP/2 -----------------------------------------------------------------------------------

def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack("!I", stream) + payload


def headers(table):
    out = b""
    for name, value in table:
        name, value = name.encode(), value.encode()
        assert len(name) < 127 and len(value) < 127
        out += b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    return out


def exactly(sock, size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise Refused("the connection ended")
        data += chunk
    return data


def call(address, method, message, timeout=60):
    """The encoded response of `method` ("/package.Service/Method") to the fields `message`."""
    body = encode(message)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(address)
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0, WINDOW) + frame(
            HEADERS, END_HEADERS, 1, headers([
                (":method", "POST"), (":scheme", "http"), (":path", method),
                (":authority", "localhost"), ("content-type", "application/grpc"),
                ("te", "trailers")])) + frame(
                    DATA, END_STREAM, 1, b"\0" + struct.pack("!I", len(body)) + body))
        return response(sock, method)


def response(sock, method):
    answer = b""
    while True:
        head = exactly(sock, 9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        payload = exactly(sock, size)
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            sock.sendall(frame(PING, ACK, 0, payload))
        elif kind in (RST_STREAM, GOAWAY):
            raise Refused(f"{method}: the server ended the call")
        elif kind == DATA:
            answer += payload
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            break
    if len(answer) < 5 or len(answer) < 5 + int.from_bytes(answer[1:5], "big"):
        raise Refused(f"{method}: refused")
    return answer[5:]
