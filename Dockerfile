# The relay in a small image:
#
#     docker build -t e2echat .
#     docker run -d --restart unless-stopped -p 4000:4000 e2echat
#     docker run -d --restart unless-stopped -p 4000:4000 e2echat serve -v --max-connections 100

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY src src
RUN cargo build --release --locked --bin e2echat

# The same Debian, with the C library and little else: no shell, and a user who is not root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/e2echat /usr/local/bin/e2echat
EXPOSE 4000
ENTRYPOINT ["/usr/local/bin/e2echat"]
CMD ["serve"]
