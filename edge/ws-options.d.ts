import "ws";

declare module "ws" {
  namespace WebSocket {
    interface ServerOptions {
      /** How long a closing handshake may take before the socket is destroyed, in milliseconds. Default 30,000. */
      closeTimeout?: number | undefined;
    }
  }
}
