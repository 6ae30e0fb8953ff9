# The relay in a small image:
#
#     docker build -t e2echat .
#     docker run -d --restart unless-stopped -p 4000:4000 e2echat
#     docker run -d --restart unless-stopped -p 4000:4000 e2echat serve -v --max-connections 100
#
# With a list of who may enter, which is /etc/e2echat/allow on the host:
#
#     docker run -d --restart unless-stopped -p 4000:4000 -v /etc/e2echat:/etc/e2echat:ro e2echat serve --allow /etc/e2echat/allow
#
# docs/HOSTING.md says what the list changes for the health check.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# The dependencies alone, for an empty program in our place: this layer stays until they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir benches src && touch src/lib.rs && echo 'fn main() {}' | tee src/main.rs benches/cipher.rs > benches/relay.rs
RUN cargo build --release --locked --bin e2echat && rm -r src
COPY src src
# Cargo goes by the times of files, and a copied file keeps its own: what stood in its place was newer.
RUN touch src/lib.rs src/main.rs && cargo build --release --locked --bin e2echat

# The same Debian, with the C library and little else: no shell, and a user who is not root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/e2echat /usr/local/bin/e2echat
EXPOSE 4000
# It enters a room of its own, and leaves it: so it is alive to whoever wants in.
HEALTHCHECK --interval=2m --timeout=30s CMD ["/usr/local/bin/e2echat", "join", "127.0.0.1", "--nick", "probe", "--room", "probe"]
ENTRYPOINT ["/usr/local/bin/e2echat"]
CMD ["serve"]
