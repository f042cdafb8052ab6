// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cpp-httplib's server with limits on the time that a client may take.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_HTTPSERVER_H
#define TAMIS_TOOLS_TAMIS_SERVE_HTTPSERVER_H

#include <chrono>
#include <httplib.h>

namespace tamis::serve {

struct HttpLimits {
  std::chrono::milliseconds request{10'000}; ///< from a request's first byte to its last
  std::chrono::milliseconds idle{5'000};     ///< between two requests of a connection
  std::chrono::milliseconds write{10'000};   ///< until a client takes what one write gives it
  size_t body = 4 << 20;                     ///< bytes
  size_t connections = 256;                  ///< served at the same time, a thread each; more wait
};

/// The library's own timeouts are those of single reads: a client that sends a byte a second would hold its thread for
/// hours. Here a request has one deadline for all of its bytes.
class HttpServer : public httplib::Server {
public:
  explicit HttpServer(const HttpLimits &limits);

  /// Listens on an address and a port, or any that is free for 0; gives the port, -1 where it cannot (errno says why).
  int bind(const std::string &host, int port);

  /// Has the client of the request that this thread serves hung up? A client that closed its sending side alone has.
  static bool isClientGone();

private:
  bool process_and_close_socket(socket_t socket) override;
  const HttpLimits limits;
};

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_HTTPSERVER_H
