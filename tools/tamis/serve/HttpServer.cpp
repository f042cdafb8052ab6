// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cpp-httplib's server with limits on the time that a client may take. Written for 0.11, Debian 12's.

#include "tools/tamis/serve/HttpServer.h"
#include <algorithm>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tamis::serve {

using Clock = std::chrono::steady_clock;

namespace {
class SocketStream : public httplib::Stream {
public:
  SocketStream(socket_t socket, const HttpLimits &limits) : handle(socket), limits(limits) {}

  /// Waits until there is something to read; false when time is up or the client is gone.
  bool waitReadable(Clock::time_point until) const { return at < filled || waitFor(POLLIN, until); }

  void startRequest() { deadline = Clock::now() + limits.request, isLate = false; }
  bool wasLate() const { return isLate; }

  bool isGone() const {
    char byte;
    ssize_t got = recv(handle, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

  bool is_readable() const override { return waitReadable(deadline); }
  bool is_writable() const override { return waitFor(POLLOUT, Clock::now() + limits.write) && !isGone(); }

  ssize_t read(char *data, size_t size) override {
    if (at == filled) {
      if (!waitFor(POLLIN, deadline)) {
        isLate = true;
        return -1;
      }
      ssize_t got = recv(handle, buffer, sizeof(buffer), 0);
      if (got <= 0)
        return got;
      at = 0, filled = size_t(got);
    }
    size_t count = std::min(size, filled - at);
    std::copy_n(buffer + at, count, data);
    at += count;
    return ssize_t(count);
  }

  ssize_t write(const char *data, size_t size) override {
    Clock::time_point until = Clock::now() + limits.write;
    for (size_t done = 0; done < size;) {
      if (!waitFor(POLLOUT, until))
        return -1;
      ssize_t sent = send(handle, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return -1;
      done += size_t(std::max<ssize_t>(sent, 0));
    }
    return ssize_t(size);
  }

  void get_remote_ip_and_port(std::string &ip, int &port) const override { name(getpeername, ip, port); }
  void get_local_ip_and_port(std::string &ip, int &port) const override { name(getsockname, ip, port); }
  socket_t socket() const override { return handle; }

private:
  bool waitFor(short events, Clock::time_point until) const {
    for (;;) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left < 0)
        return false;
      pollfd wanted{handle, events, 0};
      int ready = poll(&wanted, 1, int(std::min<int64_t>(left + 1, 1000)));
      if (ready > 0)
        return true; // errors too: the call that follows tells them
      if (ready < 0 && errno != EINTR)
        return false;
    }
  }

  template <typename Ask> void name(Ask ask, std::string &ip, int &port) const {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST], service[NI_MAXSERV];
    if (ask(handle, reinterpret_cast<sockaddr *>(&address), &size) ||
        getnameinfo(reinterpret_cast<sockaddr *>(&address), size, host, sizeof(host), service, sizeof(service),
                    NI_NUMERICHOST | NI_NUMERICSERV))
      return;
    ip = host, port = atoi(service);
  }

  const socket_t handle;
  const HttpLimits &limits;
  Clock::time_point deadline = Clock::now();
  bool isLate = false;
  char buffer[4096];
  size_t at = 0, filled = 0;
};

thread_local const SocketStream *served = nullptr;
} // namespace

HttpServer::HttpServer(const HttpLimits &given) : limits(given) {
  set_payload_max_length(limits.body);
  set_keep_alive_max_count(1000);
  set_tcp_nodelay(true);
  // Not the library's SO_REUSEPORT: two servers on one port would share its clients.
  set_socket_options([](socket_t socket) {
    int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  new_task_queue = [this] { return new httplib::ThreadPool(limits.connections); };
}

int HttpServer::bind(const std::string &host, int port) {
  if (port == 0)
    port = bind_to_any_port(host);
  else if (!bind_to_port(host, port))
    port = -1;
  // The library lets five connections wait to be accepted: of many that come at once the others would be reset.
  constexpr int waiting = 512;
  if (port >= 0 && ::listen(svr_sock_, waiting))
    return -1;
  return port;
}

bool HttpServer::isClientGone() {
  return served && served->isGone();
}

bool HttpServer::process_and_close_socket(socket_t socket) {
  SocketStream stream(socket, limits);
  served = &stream;
  bool goesOn = true;
  for (size_t left = keep_alive_max_count_; goesOn && left > 0; --left) {
    Clock::time_point until = Clock::now() + limits.idle;
    constexpr std::chrono::milliseconds look{200};
    while (svr_sock_ != INVALID_SOCKET && Clock::now() < until &&
           !stream.waitReadable(std::min(until, Clock::now() + look))) {
    }
    // What has arrived already is answered even when the server stops.
    if (!stream.waitReadable(Clock::now()) || stream.isGone())
      break;
    stream.startRequest();
    bool isLast = left == 1 || svr_sock_ == INVALID_SOCKET, isClosed = false;
    goesOn = process_request(stream, isLast, isClosed, nullptr) && !isClosed && !isLast;
    if (stream.wasLate()) {
      static const std::string late =
          R"({"error":{"message":"the request took too long to arrive","type":"invalid_request_error","param":null,)"
          R"("code":"timeout"}})";
      stream.httplib::Stream::write("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                    "Content-Type: application/json\r\nContent-Length: " +
                                    std::to_string(late.size()) + "\r\n\r\n" + late);
      goesOn = false;
    }
  }
  served = nullptr;
  // Unread bytes would make the kernel reset the connection before the client has read the answer.
  shutdown(socket, SHUT_WR);
  char rest[4096];
  for (int i = 0; i < 16 && recv(socket, rest, sizeof(rest), MSG_DONTWAIT) > 0; ++i) {
  }
  close(socket);
  return true;
}

} // namespace tamis::serve
