#include "controller/cli/kafka_client.h"

#include <atomic>
#include <csignal>

namespace tidemark::cli {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

Result<KafkaSettings> TlsSettings(const TlsOptions& options) {
  TM_ASSIGN_OR_RETURN(const auto tls, TlsOf(options));
  if (!tls) return KafkaSettings();
  TM_ASSIGN_OR_RETURN(const auto material,
                      tls::PemMaterial::MakeOfClient(tls->settings));
  KafkaSettings settings = {{"security.protocol", "ssl"},
                            {"ssl.endpoint.identification.algorithm",
                             tls->settings.check_host ? "https" : "none"}};
  if (!material->trust.empty()) {
    settings.emplace_back("ssl.ca.pem", material->trust);
  }
  if (!material->key.empty()) {
    settings.emplace_back("ssl.key.pem", material->key);
    settings.emplace_back("ssl.certificate.pem", material->chain);
  }
  return settings;
}

}  // namespace

Result<KafkaPtr<rd_kafka_t>> NewKafkaClient(
    rd_kafka_type_t type, const Context& context, const KafkaSettings& settings,
    void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*, void*),
    void* opaque) {
  TM_ASSIGN_OR_RETURN(const KafkaSettings tls, TlsSettings(context.tls));
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512] = "";
  KafkaSettings all = {{"bootstrap.servers", context.bootstrap_servers},
                       {"client.id", "tidemark-cli"},
                       {"log_level", "3"}};
  all.insert(all.end(), tls.begin(), tls.end());
  all.insert(all.end(), settings.begin(), settings.end());
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return Fail(ErrorCode::kInvalidConfig, why);
    }
  }
  rd_kafka_conf_set_opaque(conf, opaque);
  if (on_delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  KafkaPtr<rd_kafka_t> client(rd_kafka_new(type, conf, why, sizeof why));
  if (client == nullptr) {
    rd_kafka_conf_destroy(conf);
    return Fail(ErrorCode::kInvalidConfig, why);
  }
  return client;
}

Status KafkaStatus(rd_kafka_resp_err_t error, const std::string& subject) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  if (error > 0) return Fail(static_cast<ErrorCode>(error), subject);
  return Fail(ErrorCode::kUnknownServerError,
              subject + ": " + rd_kafka_err2str(error));
}

Result<int> CountPartitions(rd_kafka_t* client, const std::string& topic,
                            int64_t timeout_ms) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata,
                                                static_cast<int>(timeout_ms));
  rd_kafka_topic_destroy(handle);
  TM_RETURN_IF_ERROR(
      KafkaStatus(error, "no broker answers; is --bootstrap-servers right?"));
  rd_kafka_resp_err_t topic_error =
      metadata->topic_cnt == 1 ? metadata->topics[0].err
                               : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  int count = topic_error == 0 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  TM_RETURN_IF_ERROR(KafkaStatus(
      topic_error, topic + "; create it with: tidemark topic create " + topic));
  return count;
}

void StopOnSignals() {
  for (int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { stop = true; });
  }
}

bool StopRequested() { return stop; }

}  // namespace tidemark::cli
