// Made by scripts/protocol/reply-schemas.ts.
export const replySchemas = {
  "AbortRequestReply": {
    "type": "object",
    "properties": {
      "msg": {
        "type": "string",
        "enum": [
          "DONE",
          "NOT_FOUND"
        ],
        "description": "Whether there was such a request."
      }
    },
    "required": [
      "msg"
    ],
    "additionalProperties": false
  },
  "AddReplicaReply": {
    "type": "object",
    "properties": {
      "replica_id": {
        "type": "number",
        "description": "Number of the last that was added."
      },
      "replica_model_uid": {
        "type": "string",
        "description": "Uid of the model with that number."
      },
      "worker_address": {
        "type": "string",
        "description": "Address of its machine."
      }
    },
    "required": [
      "replica_id",
      "replica_model_uid",
      "worker_address"
    ],
    "additionalProperties": false
  },
  "AddressReply": {
    "type": "string"
  },
  "AnswerReceipt": {
    "type": "object",
    "properties": {
      "images": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ImageReceipt"
        },
        "description": "One for each picture of the request, in order."
      },
      "profile": {
        "type": "string",
        "enum": [
          "ref",
          "hf"
        ],
        "description": "Whose semantics the model runs with: Meta's (`ref`) or those of Transformers (`hf`)."
      },
      "prompt_changes": {
        "type": "array",
        "items": {
          "type": "string",
          "enum": [
            "result-pictures-moved",
            "tool-calls-split",
            "text-beside-call-dropped",
            "tools-in-text",
            "empty-text-dropped",
            "system-text-moved",
            "turns-merged",
            "pictures-hoisted"
          ]
        },
        "description": "What the rules of the chat changed before the template was rendered."
      },
      "ignored_fields": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Fields of the request that nothing read."
      }
    },
    "required": [
      "images",
      "profile",
      "prompt_changes",
      "ignored_fields"
    ],
    "additionalProperties": false
  },
  "AnthropicAnswer": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the answer, `msg_…`."
      },
      "type": {
        "type": "string",
        "const": "message",
        "description": "Always `message`."
      },
      "role": {
        "type": "string",
        "const": "assistant",
        "description": "Always `assistant`."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "content": {
        "type": "array",
        "items": {
          "anyOf": [
            {
              "$ref": "#/components/schemas/AnthropicTextBlock"
            },
            {
              "$ref": "#/components/schemas/AnthropicToolUse"
            }
          ]
        },
        "description": "A text, or the calls of tools."
      },
      "stop_reason": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/AnthropicStopReason"
          },
          {
            "type": "null"
          }
        ],
        "description": "Why the answer ended; `null` while it is streamed."
      },
      "stop_sequence": {
        "type": [
          "string",
          "null"
        ],
        "description": "The text of `stop_sequences` that ended it, or `null`."
      },
      "usage": {
        "$ref": "#/components/schemas/AnthropicUsage",
        "description": "Tokens that were taken."
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "The receipt: what became of each picture and each field. Not in `message_start`."
      }
    },
    "required": [
      "id",
      "type",
      "role",
      "model",
      "content",
      "stop_reason",
      "stop_sequence",
      "usage"
    ],
    "additionalProperties": false
  },
  "AnthropicError": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "error",
        "description": "Always `error`."
      },
      "error": {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "enum": [
              "invalid_request_error",
              "authentication_error",
              "permission_error",
              "not_found_error",
              "request_too_large",
              "rate_limit_error",
              "api_error",
              "overloaded_error",
              "timeout_error"
            ],
            "description": "Anthropic's name for this kind of failure."
          },
          "message": {
            "type": "string",
            "description": "For a person: what happened, with the values, then what to do."
          },
          "code": {
            "type": "string",
            "description": "Ours, and stable; see the table of errors."
          }
        },
        "required": [
          "type",
          "message",
          "code"
        ],
        "additionalProperties": false,
        "description": "What went wrong."
      },
      "request_id": {
        "type": "string",
        "description": "Id of the request, also in the logs."
      }
    },
    "required": [
      "type",
      "error",
      "request_id"
    ],
    "additionalProperties": false
  },
  "AnthropicEvent": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "message_start",
            "description": "The answer begins."
          },
          "message": {
            "$ref": "#/components/schemas/AnthropicAnswer",
            "description": "The answer, without content so far."
          }
        },
        "required": [
          "type",
          "message"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "content_block_start",
            "description": "A block begins."
          },
          "index": {
            "type": "number",
            "description": "Number of the block, from 0."
          },
          "content_block": {
            "anyOf": [
              {
                "$ref": "#/components/schemas/AnthropicTextBlock"
              },
              {
                "$ref": "#/components/schemas/AnthropicToolUse"
              }
            ],
            "description": "The block, still empty."
          }
        },
        "required": [
          "type",
          "index",
          "content_block"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "content_block_delta",
            "description": "A block goes on."
          },
          "index": {
            "type": "number",
            "description": "Number of the block, from 0."
          },
          "delta": {
            "anyOf": [
              {
                "type": "object",
                "properties": {
                  "type": {
                    "type": "string",
                    "const": "text_delta",
                    "description": "`text_delta` of a text."
                  },
                  "text": {
                    "type": "string",
                    "description": "The next piece of the text."
                  }
                },
                "required": [
                  "type",
                  "text"
                ],
                "additionalProperties": false
              },
              {
                "type": "object",
                "properties": {
                  "type": {
                    "type": "string",
                    "const": "input_json_delta",
                    "description": "`input_json_delta` of a call."
                  },
                  "partial_json": {
                    "type": "string",
                    "description": "The arguments, as the text of a JSON object."
                  }
                },
                "required": [
                  "type",
                  "partial_json"
                ],
                "additionalProperties": false
              }
            ],
            "description": "What is added to the block."
          }
        },
        "required": [
          "type",
          "index",
          "delta"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "content_block_stop",
            "description": "A block is complete."
          },
          "index": {
            "type": "number",
            "description": "Number of the block, from 0."
          }
        },
        "required": [
          "type",
          "index"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "message_delta",
            "description": "The answer is complete."
          },
          "delta": {
            "type": "object",
            "properties": {
              "stop_reason": {
                "anyOf": [
                  {
                    "$ref": "#/components/schemas/AnthropicStopReason"
                  },
                  {
                    "type": "null"
                  }
                ],
                "description": "Why the answer ended; `null` while it is streamed."
              },
              "stop_sequence": {
                "type": [
                  "string",
                  "null"
                ],
                "description": "The text of `stop_sequences` that ended it, or `null`."
              }
            },
            "required": [
              "stop_reason",
              "stop_sequence"
            ],
            "additionalProperties": false,
            "description": "Why the answer ended."
          },
          "usage": {
            "$ref": "#/components/schemas/AnthropicUsage",
            "description": "Tokens that were taken, all together."
          },
          "atalaya": {
            "$ref": "#/components/schemas/AnswerReceipt",
            "description": "The receipt: what became of each picture and each field."
          }
        },
        "required": [
          "type",
          "delta",
          "usage",
          "atalaya"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "message_stop",
            "description": "No event follows."
          }
        },
        "required": [
          "type"
        ],
        "additionalProperties": false
      }
    ],
    "description": "In this order: start; of each block its start, its deltas and its stop; delta, stop."
  },
  "AnthropicStopReason": {
    "type": "string",
    "enum": [
      "end_turn",
      "max_tokens",
      "stop_sequence",
      "tool_use",
      "model_context_window_exceeded"
    ]
  },
  "AnthropicTextBlock": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "text",
        "description": "Always `text`."
      },
      "text": {
        "type": "string",
        "description": "What the model said; empty at the start of a streamed block."
      }
    },
    "required": [
      "type",
      "text"
    ],
    "additionalProperties": false
  },
  "AnthropicTokenCount": {
    "type": "object",
    "properties": {
      "input_tokens": {
        "type": "number",
        "description": "Tokens of the prompt as the model would be given it, each picture's marker as one."
      }
    },
    "required": [
      "input_tokens"
    ],
    "additionalProperties": false,
    "description": "Of `POST /v1/messages/count_tokens`."
  },
  "AnthropicToolUse": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "tool_use",
        "description": "Always `tool_use`."
      },
      "id": {
        "type": "string",
        "description": "Id of the call, for its `tool_result`."
      },
      "name": {
        "type": "string",
        "description": "Name of the tool that is called."
      },
      "input": {
        "type": "object",
        "additionalProperties": {},
        "description": "Arguments of the call; empty at the start of a streamed block."
      }
    },
    "required": [
      "type",
      "id",
      "name",
      "input"
    ],
    "additionalProperties": false
  },
  "AnthropicUsage": {
    "type": "object",
    "properties": {
      "input_tokens": {
        "type": "number",
        "description": "Image tokens are in it as one each; what cross-attention reads is in the receipt."
      },
      "output_tokens": {
        "type": "number",
        "description": "Tokens of the answer."
      },
      "cache_creation_input_tokens": {
        "type": "number",
        "const": 0,
        "description": "Always 0: what is cached is not charged apart."
      },
      "cache_read_input_tokens": {
        "type": "number",
        "const": 0,
        "description": "Always 0: what is cached is not charged apart."
      }
    },
    "required": [
      "input_tokens",
      "output_tokens",
      "cache_creation_input_tokens",
      "cache_read_input_tokens"
    ],
    "additionalProperties": false
  },
  "AuditOptionsReply": {
    "type": "object",
    "properties": {
      "categories": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Kinds of records."
      },
      "users": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Names of keys and accounts."
      },
      "models": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Uids of models."
      }
    },
    "required": [
      "categories",
      "users",
      "models"
    ],
    "additionalProperties": false,
    "description": "What records of the audit can be searched by."
  },
  "AuditRecord": {
    "type": "object",
    "properties": {
      "id": {
        "type": "number",
        "description": "Number of the record."
      },
      "timestamp": {
        "type": "string",
        "description": "When it was, ISO 8601."
      },
      "category": {
        "type": "string",
        "enum": [
          "model",
          "key",
          "account",
          "login"
        ],
        "description": "What it is about."
      },
      "event": {
        "type": "string",
        "description": "What happened, such as `model-loaded`."
      },
      "subject": {
        "type": [
          "string",
          "null"
        ],
        "description": "A model's uid, a key's id, an account's name, or `null`."
      },
      "user": {
        "type": [
          "string",
          "null"
        ],
        "description": "Whose request it was, or `null`."
      },
      "details": {
        "type": "object",
        "additionalProperties": {},
        "description": "More of it."
      }
    },
    "required": [
      "id",
      "timestamp",
      "category",
      "event",
      "subject",
      "user",
      "details"
    ],
    "additionalProperties": false
  },
  "AuditReply": {
    "type": "object",
    "properties": {
      "records": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/AuditRecord"
        },
        "description": "The records, the latest first."
      },
      "next_before": {
        "type": [
          "number",
          "null"
        ],
        "description": "For `before`, to get more; `null` when these were the last."
      }
    },
    "required": [
      "records",
      "next_before"
    ],
    "additionalProperties": false
  },
  "AutostartRecord": {
    "type": "object",
    "properties": {
      "enabled": {
        "type": "boolean",
        "description": "Whether it starts with the server."
      },
      "model_uid": {
        "type": "string",
        "description": "The name it will answer to."
      },
      "priority": {
        "type": "number",
        "description": "Smaller starts sooner."
      },
      "max_retries": {
        "type": [
          "number",
          "null"
        ],
        "description": "How often a failed launch is tried again; `null`: a few times."
      },
      "retry_interval_seconds": {
        "type": [
          "number",
          "null"
        ],
        "description": "Seconds between; `null`: growing pauses."
      },
      "launch": {
        "type": "object",
        "additionalProperties": {},
        "description": "As it was sent, without what is secret in it."
      },
      "state": {
        "type": "object",
        "properties": {
          "attempts": {
            "type": "number",
            "description": "Since this server started; 0 when it did not start the model."
          },
          "instance_status": {
            "anyOf": [
              {
                "$ref": "#/components/schemas/ModelStatus"
              },
              {
                "type": "string",
                "const": "TERMINATED"
              }
            ],
            "description": "How the model is."
          },
          "last_error": {
            "type": [
              "string",
              "null"
            ],
            "description": "Why it last failed, or `null`."
          }
        },
        "required": [
          "attempts",
          "instance_status",
          "last_error"
        ],
        "additionalProperties": false,
        "description": "How it went."
      }
    },
    "required": [
      "enabled",
      "model_uid",
      "priority",
      "max_retries",
      "retry_interval_seconds",
      "launch",
      "state"
    ],
    "additionalProperties": false
  },
  "AutostartReply": {
    "type": "object",
    "properties": {
      "models": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/AutostartRecord"
        },
        "description": "What starts with the server."
      }
    },
    "required": [
      "models"
    ],
    "additionalProperties": false
  },
  "AutostartSummary": {
    "type": "object",
    "properties": {
      "models": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean",
              "description": "Whether it starts with the server."
            },
            "model_uid": {
              "type": "string",
              "description": "The name it will answer to."
            }
          },
          "required": [
            "enabled",
            "model_uid"
          ],
          "additionalProperties": false
        },
        "description": "What starts with the server."
      }
    },
    "required": [
      "models"
    ],
    "additionalProperties": false
  },
  "BannedAddressesReply": {
    "type": "object",
    "properties": {
      "banned_ips": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "ip": {
              "type": "string",
              "description": "The address; of IPv6 the network."
            },
            "remaining_seconds": {
              "type": "number",
              "description": "Seconds that it still waits."
            }
          },
          "required": [
            "ip",
            "remaining_seconds"
          ],
          "additionalProperties": false
        },
        "description": "The addresses that wait."
      }
    },
    "required": [
      "banned_ips"
    ],
    "additionalProperties": false
  },
  "BannedKeysReply": {
    "type": "object",
    "properties": {
      "banned_keys": {
        "type": "array",
        "minItems": 0,
        "maxItems": 0,
        "description": "Always empty: it is the address that waits."
      }
    },
    "required": [
      "banned_keys"
    ],
    "additionalProperties": false
  },
  "BatchList": {
    "type": "object",
    "properties": {
      "object": {
        "type": "string",
        "const": "list",
        "description": "Always `list`."
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/BatchObject"
        },
        "description": "The batches, the newest first."
      },
      "first_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the first of them, or `null`."
      },
      "last_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the last of them, for `after`, or `null`."
      },
      "has_more": {
        "type": "boolean",
        "description": "Whether there are older ones."
      }
    },
    "required": [
      "object",
      "data",
      "first_id",
      "last_id",
      "has_more"
    ],
    "additionalProperties": false
  },
  "BatchObject": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the batch, `batch_…`."
      },
      "object": {
        "type": "string",
        "const": "batch",
        "description": "Always `batch`."
      },
      "endpoint": {
        "type": "string",
        "enum": [
          "/v1/chat/completions",
          "/v1/completions",
          "/v1/responses",
          "/v1/moderations"
        ],
        "description": "Route that its lines ask."
      },
      "errors": {
        "anyOf": [
          {
            "type": "object",
            "properties": {
              "object": {
                "type": "string",
                "const": "list",
                "description": "Always `list`."
              },
              "data": {
                "type": "array",
                "items": {
                  "type": "object",
                  "properties": {
                    "code": {
                      "type": "string",
                      "description": "Stable name of the fault."
                    },
                    "message": {
                      "type": "string",
                      "description": "For a person: what is wrong, and what to do."
                    },
                    "param": {
                      "type": "null",
                      "description": "Always `null`."
                    },
                    "line": {
                      "type": [
                        "number",
                        "null"
                      ],
                      "description": "Number of the line, from 1; `null` when it is about the whole file."
                    }
                  },
                  "required": [
                    "code",
                    "message",
                    "param",
                    "line"
                  ],
                  "additionalProperties": false
                },
                "description": "One for each fault, the first ones of a long file."
              }
            },
            "required": [
              "object",
              "data"
            ],
            "additionalProperties": false
          },
          {
            "type": "null"
          }
        ],
        "description": "What is wrong with its file; `null` when nothing is."
      },
      "input_file_id": {
        "type": "string",
        "description": "Id of the file it was made of."
      },
      "completion_window": {
        "type": "string",
        "const": "24h",
        "description": "Always `24h`."
      },
      "status": {
        "type": "string",
        "enum": [
          "validating",
          "in_progress",
          "finalizing",
          "completed",
          "failed",
          "expired",
          "cancelling",
          "cancelled"
        ],
        "description": "How far it is."
      },
      "output_file_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the file with the answers; `null` until it is made, or when there are none."
      },
      "error_file_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the file with the lines that failed; `null` until it is made, or when there are none."
      },
      "created_at": {
        "type": "number",
        "description": "When it was made, in seconds since 1970, as all that follow."
      },
      "expires_at": {
        "type": "number",
        "description": "When its 24 hours are over."
      },
      "in_progress_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When its first line began, or `null`."
      },
      "finalizing_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When its last line had ended, or `null`."
      },
      "completed_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When its files were made, or `null`."
      },
      "failed_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When its file was found to be wrong, or `null`."
      },
      "expired_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When it expired, or `null`."
      },
      "cancelling_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When it was to be cancelled, or `null`."
      },
      "cancelled_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When it was cancelled, or `null`."
      },
      "request_counts": {
        "type": "object",
        "properties": {
          "total": {
            "type": "number",
            "description": "All lines of its file."
          },
          "completed": {
            "type": "number",
            "description": "Lines that were answered."
          },
          "failed": {
            "type": "number",
            "description": "Lines that failed."
          }
        },
        "required": [
          "total",
          "completed",
          "failed"
        ],
        "additionalProperties": false,
        "description": "How many lines there are."
      },
      "metadata": {
        "type": "object",
        "additionalProperties": {
          "type": "string"
        },
        "description": "The caller's own notes."
      }
    },
    "required": [
      "id",
      "object",
      "endpoint",
      "errors",
      "input_file_id",
      "completion_window",
      "status",
      "output_file_id",
      "error_file_id",
      "created_at",
      "expires_at",
      "in_progress_at",
      "finalizing_at",
      "completed_at",
      "failed_at",
      "expired_at",
      "cancelling_at",
      "cancelled_at",
      "request_counts",
      "metadata"
    ],
    "additionalProperties": false
  },
  "CachedFilesReply": {
    "type": "object",
    "properties": {
      "model_version": {
        "type": "string",
        "description": "Which version of which model."
      },
      "worker_ip": {
        "type": "string",
        "description": "The machine they are on."
      },
      "paths": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "The files' paths there."
      }
    },
    "required": [
      "model_version",
      "worker_ip",
      "paths"
    ],
    "additionalProperties": false
  },
  "CachedModelRecord": {
    "type": "object",
    "properties": {
      "model_name": {
        "type": "string",
        "description": "Name of the model."
      },
      "model_size_in_billions": {
        "type": [
          "number",
          "null"
        ],
        "description": "Weights in billions, or `null`."
      },
      "model_format": {
        "type": "string",
        "description": "Format of the files."
      },
      "quantization": {
        "type": "string",
        "description": "What its weights are made of."
      },
      "model_version": {
        "type": "string",
        "description": "Such as `llama-3.2-vision--11B--pytorch--none`."
      },
      "path": {
        "type": "string",
        "description": "Where it is in the hub's cache."
      },
      "real_path": {
        "type": "string",
        "description": "The same without links."
      },
      "actor_ip_address": {
        "type": "string",
        "description": "The machine it is on."
      }
    },
    "required": [
      "model_name",
      "model_size_in_billions",
      "model_format",
      "quantization",
      "model_version",
      "path",
      "real_path",
      "actor_ip_address"
    ],
    "additionalProperties": false,
    "description": "In the order in which Xinference's command line prints them."
  },
  "CachedModelsReply": {
    "type": "object",
    "properties": {
      "list": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/CachedModelRecord"
        },
        "description": "The models."
      }
    },
    "required": [
      "list"
    ],
    "additionalProperties": false
  },
  "ChatCompletion": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the answer, `chatcmpl-…`."
      },
      "object": {
        "type": "string",
        "const": "chat.completion",
        "description": "Always `chat.completion`."
      },
      "created": {
        "type": "number",
        "description": "When it was asked for, in seconds since 1970."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "choices": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "index": {
              "type": "number",
              "description": "Number of the answer, from 0."
            },
            "message": {
              "type": "object",
              "properties": {
                "role": {
                  "type": "string",
                  "const": "assistant",
                  "description": "Always `assistant`."
                },
                "content": {
                  "type": [
                    "string",
                    "null"
                  ],
                  "description": "The text; `null` beside calls."
                },
                "refusal": {
                  "type": "null",
                  "description": "Always `null`."
                },
                "tool_calls": {
                  "type": "array",
                  "items": {
                    "$ref": "#/components/schemas/ChatToolCallReply"
                  },
                  "description": "Calls of functions, in their order; absent when there are none."
                },
                "function_call": {
                  "$ref": "#/components/schemas/ChatFunctionCall",
                  "description": "The call, where the request had `functions`."
                }
              },
              "required": [
                "role",
                "content",
                "refusal"
              ],
              "additionalProperties": false,
              "description": "What the model said."
            },
            "logprobs": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/ChatLogprobs"
                },
                {
                  "type": "null"
                }
              ],
              "description": "With `logprobs` in the request, else `null`."
            },
            "finish_reason": {
              "$ref": "#/components/schemas/ChatFinishReason",
              "description": "`stop`: by itself or at a stop text; `length`: at the bound; or with calls."
            },
            "options": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/OptionScore"
              },
              "description": "With `choices` in the request: what each of the listed answers is worth."
            }
          },
          "required": [
            "index",
            "message",
            "logprobs",
            "finish_reason"
          ],
          "additionalProperties": false
        },
        "description": "The answers, `n` of them."
      },
      "usage": {
        "$ref": "#/components/schemas/Usage",
        "description": "Tokens that were taken."
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "The receipt: what became of each picture and each field."
      }
    },
    "required": [
      "id",
      "object",
      "created",
      "model",
      "choices",
      "usage",
      "atalaya"
    ],
    "additionalProperties": false
  },
  "ChatCompletionChunk": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the answer, the same in all its chunks."
      },
      "object": {
        "type": "string",
        "const": "chat.completion.chunk",
        "description": "Always `chat.completion.chunk`."
      },
      "created": {
        "type": "number",
        "description": "When it was asked for, in seconds since 1970."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "choices": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "index": {
              "type": "number",
              "description": "Number of the answer, from 0."
            },
            "delta": {
              "type": "object",
              "properties": {
                "role": {
                  "type": "string",
                  "const": "assistant",
                  "description": "Always `assistant`; in an answer's first chunk."
                },
                "content": {
                  "type": "string",
                  "description": "The next piece of the text, perhaps empty."
                },
                "tool_calls": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                      "index": {
                        "type": "number",
                        "description": "Number of the call, from 0."
                      },
                      "id": {
                        "type": "string",
                        "description": "Id of the call, for its result's `tool_call_id`."
                      },
                      "type": {
                        "type": "string",
                        "const": "function",
                        "description": "Always `function`."
                      },
                      "function": {
                        "$ref": "#/components/schemas/ChatFunctionCall",
                        "description": "What is called, and with what."
                      }
                    },
                    "required": [
                      "function",
                      "id",
                      "index",
                      "type"
                    ]
                  },
                  "description": "All calls, each whole, in the chunk with the finish reason."
                },
                "function_call": {
                  "$ref": "#/components/schemas/ChatFunctionCall",
                  "description": "The call, where the request had `functions`."
                }
              },
              "required": [
                "content"
              ],
              "additionalProperties": false,
              "description": "What is added. `content` is always there: some clients read it without looking."
            },
            "logprobs": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/ChatLogprobs"
                },
                {
                  "type": "null"
                }
              ],
              "description": "Of the tokens of this piece, with `logprobs` in the request; else `null`."
            },
            "finish_reason": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/ChatFinishReason"
                },
                {
                  "type": "null"
                }
              ],
              "description": "Why the answer ended; `null` until its last chunk."
            },
            "options": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/OptionScore"
              },
              "description": "With `choices` in the request: what each of the listed answers is worth."
            }
          },
          "required": [
            "index",
            "delta",
            "logprobs",
            "finish_reason"
          ],
          "additionalProperties": false
        },
        "description": "One answer's next piece. Empty only in the usage chunk, which comes only when it was asked for."
      },
      "usage": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/Usage"
          },
          {
            "type": "null"
          }
        ],
        "description": "Tokens that were taken, in the last chunk when `stream_options.include_usage` asks for it; `null` before."
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "The receipt, in the chunk that ends the last answer."
      }
    },
    "required": [
      "id",
      "object",
      "created",
      "model",
      "choices"
    ],
    "additionalProperties": false
  },
  "ChatFinishReason": {
    "anyOf": [
      {
        "$ref": "#/components/schemas/WireFinishReason"
      },
      {
        "type": "string",
        "const": "tool_calls"
      },
      {
        "type": "string",
        "const": "function_call"
      }
    ],
    "description": "`function_call` where the request said `functions`."
  },
  "ChatFunctionCall": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string",
        "description": "Name of the function."
      },
      "arguments": {
        "type": "string",
        "description": "The text of a JSON object."
      }
    },
    "required": [
      "name",
      "arguments"
    ],
    "additionalProperties": false
  },
  "ChatLogprob": {
    "type": "object",
    "properties": {
      "token": {
        "type": "string",
        "description": "The token as text; half a character is shown as U+FFFD."
      },
      "logprob": {
        "type": "number",
        "description": "Natural logarithm of its probability; at least -9999."
      },
      "bytes": {
        "type": "array",
        "items": {
          "type": "number"
        },
        "description": "The token's own bytes: it may be half a character."
      }
    },
    "required": [
      "token",
      "logprob",
      "bytes"
    ],
    "additionalProperties": false
  },
  "ChatLogprobs": {
    "type": "object",
    "properties": {
      "content": {
        "type": "array",
        "items": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "top_logprobs": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/ChatLogprob"
              },
              "description": "The likeliest tokens in this place, as many as were asked for."
            },
            "token": {
              "type": "string",
              "description": "The token as text; half a character is shown as U+FFFD."
            },
            "logprob": {
              "type": "number",
              "description": "Natural logarithm of its probability; at least -9999."
            },
            "bytes": {
              "type": "array",
              "items": {
                "type": "number"
              },
              "description": "The token's own bytes: it may be half a character."
            }
          },
          "required": [
            "bytes",
            "logprob",
            "token",
            "top_logprobs"
          ]
        },
        "description": "One for each token of the answer."
      },
      "refusal": {
        "type": "null",
        "description": "Always `null`."
      }
    },
    "required": [
      "content",
      "refusal"
    ],
    "additionalProperties": false
  },
  "ChatToolCallReply": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the call, for its result's `tool_call_id`."
      },
      "type": {
        "type": "string",
        "const": "function",
        "description": "Always `function`."
      },
      "function": {
        "$ref": "#/components/schemas/ChatFunctionCall",
        "description": "What is called, and with what."
      }
    },
    "required": [
      "id",
      "type",
      "function"
    ],
    "additionalProperties": false
  },
  "ClusterAuthReply": {
    "type": "object",
    "properties": {
      "auth": {
        "type": "boolean",
        "description": "Whether requests need a key."
      }
    },
    "required": [
      "auth"
    ],
    "additionalProperties": false
  },
  "ClusterInfoReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/ClusterNode"
    }
  },
  "ClusterNode": {
    "type": "object",
    "properties": {
      "node_type": {
        "type": "string",
        "enum": [
          "Supervisor",
          "Worker"
        ],
        "description": "What the machine is; one is both here."
      },
      "ip_address": {
        "type": "string",
        "description": "Its address."
      },
      "gpu_count": {
        "type": "number",
        "description": "How many graphics cards it has."
      },
      "gpu_vram_total": {
        "type": [
          "number",
          "string"
        ],
        "description": "Their memory, in bytes, or as text."
      },
      "gpu_vram_available": {
        "type": "number",
        "description": "What of it is free, in bytes."
      },
      "gpu_utilization": {
        "type": [
          "number",
          "null"
        ],
        "description": "How busy they are, 0 to 100, or `null`."
      },
      "cpu_available": {
        "type": "number",
        "description": "How many processors are idle."
      },
      "cpu_count": {
        "type": "number",
        "description": "How many processors it has."
      },
      "mem_used": {
        "type": "number",
        "description": "Memory in use, in bytes."
      },
      "mem_available": {
        "type": "number",
        "description": "Memory that is free, in bytes."
      },
      "mem_total": {
        "type": "number",
        "description": "Its memory, in bytes."
      }
    },
    "required": [
      "node_type",
      "ip_address",
      "gpu_count",
      "gpu_vram_total"
    ],
    "additionalProperties": false
  },
  "ClusterVersionReply": {
    "type": "object",
    "properties": {
      "version": {
        "type": "string",
        "description": "Version of Xinference whose API this is."
      },
      "full-revisionid": {
        "type": "null",
        "description": "Always `null`."
      },
      "dirty": {
        "type": "boolean",
        "const": false,
        "description": "Always `false`."
      },
      "error": {
        "type": "null",
        "description": "Always `null`."
      },
      "atalaya": {
        "type": "string",
        "description": "Version of this program."
      }
    },
    "required": [
      "version",
      "full-revisionid",
      "dirty",
      "error",
      "atalaya"
    ],
    "additionalProperties": false
  },
  "Completion": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the answer, `cmpl-…`; the same in all its chunks."
      },
      "object": {
        "type": "string",
        "const": "text_completion",
        "description": "Always `text_completion`."
      },
      "created": {
        "type": "number",
        "description": "When it was asked for, in seconds since 1970."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "choices": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "index": {
              "type": "number",
              "description": "Number of the answer, from 0. With several prompts: the answers of the first one, then those of the second, and so on."
            },
            "text": {
              "type": "string",
              "description": "The text, or its next piece."
            },
            "logprobs": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/CompletionLogprobs"
                },
                {
                  "type": "null"
                }
              ],
              "description": "With `logprobs` in the request, else `null`."
            },
            "finish_reason": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/WireFinishReason"
                },
                {
                  "type": "null"
                }
              ],
              "description": "`stop`: by itself or at a stop text; `length`: at the bound; `null` until the answer has ended."
            },
            "options": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/OptionScore"
              },
              "description": "With `choices` in the request: what each of the listed answers is worth."
            }
          },
          "required": [
            "index",
            "text",
            "logprobs",
            "finish_reason"
          ],
          "additionalProperties": false
        },
        "description": "The answers; of a stream one answer's next piece, and none in the usage chunk."
      },
      "usage": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/Usage"
          },
          {
            "type": "null"
          }
        ],
        "description": "Tokens that were taken; in a stream in its last chunk, when that was asked for."
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "The receipt; in a stream in the chunk that ends the last answer."
      }
    },
    "required": [
      "id",
      "object",
      "created",
      "model",
      "choices"
    ],
    "additionalProperties": false,
    "description": "The whole answer, and each chunk of a streamed one."
  },
  "CompletionLogprobs": {
    "type": "object",
    "properties": {
      "tokens": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "The tokens as text."
      },
      "token_logprobs": {
        "type": "array",
        "items": {
          "type": [
            "number",
            "null"
          ]
        },
        "description": "Log-probability of each; `null` for a token that nothing precedes, and for a picture's."
      },
      "top_logprobs": {
        "type": "array",
        "items": {
          "anyOf": [
            {
              "type": "object",
              "additionalProperties": {
                "type": "number"
              }
            },
            {
              "type": "null"
            }
          ]
        },
        "description": "For each token the likeliest in its place, text to log-probability; `null` where there is none."
      },
      "text_offset": {
        "type": "array",
        "items": {
          "type": "number"
        },
        "description": "Where each token begins in the answer, in UTF-16 units."
      }
    },
    "required": [
      "tokens",
      "token_logprobs",
      "top_logprobs",
      "text_offset"
    ],
    "additionalProperties": false,
    "description": "The classic shape: four lists of equal length."
  },
  "DetailedRegistration": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "version": {
        "type": "number",
        "const": 2,
        "description": "Always 2, Xinference's form of a family."
      },
      "model_description": {
        "type": "string",
        "description": "What it is, in a sentence."
      },
      "context_length": {
        "type": "number",
        "description": "Tokens of prompt and answer together, at most."
      },
      "model_lang": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Languages, ISO 639-1."
      },
      "model_ability": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it can do."
      },
      "model_family": {
        "type": "string",
        "description": "Family that it is of."
      },
      "architectures": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Architectures of its `config.json`."
      },
      "model_type": {
        "type": "string",
        "const": "mllama",
        "description": "Always `mllama`."
      },
      "download_hubs": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Hubs that have it."
      },
      "model_specs": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/RegistrationSpec"
        },
        "description": "Its forms: from where, how large, of what."
      },
      "model_name": {
        "type": "string",
        "description": "Name of the model."
      },
      "is_builtin": {
        "type": "boolean",
        "description": "Whether it comes with the program."
      }
    },
    "required": [
      "architectures",
      "context_length",
      "download_hubs",
      "is_builtin",
      "model_ability",
      "model_description",
      "model_family",
      "model_lang",
      "model_name",
      "model_specs",
      "model_type",
      "version"
    ]
  },
  "DevicesReply": {
    "type": "number",
    "description": "Graphics cards."
  },
  "DoneReply": {
    "type": "object",
    "properties": {
      "status": {
        "type": "string",
        "const": "ok",
        "description": "Always `ok`."
      }
    },
    "required": [
      "status"
    ],
    "additionalProperties": false
  },
  "DownloadFileRecord": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string",
        "description": "Path inside the repository."
      },
      "downloaded_bytes": {
        "type": "number",
        "description": "Bytes that are here."
      },
      "total_bytes": {
        "type": "number",
        "description": "Its size in bytes."
      },
      "progress": {
        "type": "number",
        "description": "0 to 1."
      },
      "speed_bytes_per_second": {
        "type": "number",
        "description": "Of what came since this download began; 0 while it cannot be told."
      },
      "elapsed_seconds": {
        "type": "number",
        "description": "Seconds since it began."
      },
      "eta_seconds": {
        "type": [
          "number",
          "null"
        ],
        "description": "Seconds that it will still take; `null` while it cannot be told."
      },
      "status": {
        "type": "string",
        "enum": [
          "waiting",
          "downloading",
          "verifying",
          "completed"
        ],
        "description": "How it is."
      },
      "replica_id": {
        "type": "number",
        "description": "The replica whose download it is; all replicas read what the first one fetches."
      },
      "replica_model_uid": {
        "type": "string",
        "description": "Uid of the model with the replica's number."
      }
    },
    "required": [
      "name",
      "downloaded_bytes",
      "total_bytes",
      "progress",
      "speed_bytes_per_second",
      "elapsed_seconds",
      "eta_seconds",
      "status",
      "replica_id",
      "replica_model_uid"
    ],
    "additionalProperties": false
  },
  "DownloadLine": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "plan",
            "description": "What will be downloaded."
          },
          "hub": {
            "type": "string",
            "enum": [
              "huggingface",
              "modelscope"
            ],
            "description": "Which hub it comes from."
          },
          "host": {
            "type": "string",
            "description": "The host's name."
          },
          "repo": {
            "type": "string",
            "description": "Owner and name of the repository."
          },
          "commit": {
            "type": "string",
            "description": "Which commit of it."
          },
          "licence": {
            "anyOf": [
              {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "Name of the licence."
                  },
                  "link": {
                    "type": "string",
                    "description": "Where its text is."
                  },
                  "note": {
                    "type": [
                      "string",
                      "null"
                    ],
                    "description": "What to know of it, or `null`."
                  }
                },
                "required": [
                  "name",
                  "link",
                  "note"
                ],
                "additionalProperties": false
              },
              {
                "type": "null"
              }
            ],
            "description": "Under which licence, or `null`."
          },
          "files": {
            "type": "array",
            "items": {
              "type": "object",
              "properties": {
                "path": {
                  "type": "string",
                  "description": "Path inside the repository."
                },
                "size_bytes": {
                  "type": "number",
                  "description": "Its size in bytes."
                },
                "here_bytes": {
                  "type": "number",
                  "description": "Bytes that are there already, whole or as the start of a download."
                }
              },
              "required": [
                "path",
                "size_bytes",
                "here_bytes"
              ],
              "additionalProperties": false
            },
            "description": "The files, in their order."
          }
        },
        "required": [
          "type",
          "hub",
          "host",
          "repo",
          "commit",
          "licence",
          "files"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "hub-skipped",
            "description": "A hub could not be used."
          },
          "reason": {
            "type": "string",
            "description": "Why it could not be used."
          },
          "next": {
            "type": "string",
            "description": "Which hub is tried next."
          }
        },
        "required": [
          "type",
          "reason",
          "next"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "file-progress",
            "description": "A file goes on."
          },
          "path": {
            "type": "string",
            "description": "Path inside the repository."
          },
          "done_bytes": {
            "type": "number",
            "description": "Bytes that are here."
          }
        },
        "required": [
          "type",
          "path",
          "done_bytes"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "file-verifying",
            "description": "A file is being checked."
          },
          "path": {
            "type": "string",
            "description": "Path inside the repository."
          }
        },
        "required": [
          "type",
          "path"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "file-ready",
            "description": "A file is here."
          },
          "path": {
            "type": "string",
            "description": "Path inside the repository."
          }
        },
        "required": [
          "type",
          "path"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "file-waiting",
            "description": "Another program downloads this file; it is waited for."
          },
          "path": {
            "type": "string",
            "description": "Path inside the repository."
          }
        },
        "required": [
          "type",
          "path"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "retry",
            "description": "A file is tried again."
          },
          "path": {
            "type": [
              "string",
              "null"
            ],
            "description": "Path inside the repository; `null` when it is about no file."
          },
          "reason": {
            "type": "string",
            "description": "Why it is tried again."
          },
          "wait_ms": {
            "type": "number",
            "description": "Milliseconds until then."
          }
        },
        "required": [
          "type",
          "path",
          "reason",
          "wait_ms"
        ],
        "additionalProperties": false
      }
    ],
    "description": "Before the first byte of a file comes one `plan`, licence included."
  },
  "EngineOffer": {
    "type": "object",
    "properties": {
      "model_name": {
        "type": "string",
        "description": "Name of the model."
      },
      "model_format": {
        "type": "string",
        "description": "Format of the files."
      },
      "model_size_in_billions": {
        "type": "number",
        "description": "Weights in billions."
      },
      "quantizations": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What its weights can be made of."
      },
      "support_draft_model": {
        "type": "boolean",
        "const": false,
        "description": "Always `false`."
      }
    },
    "required": [
      "model_name",
      "model_format",
      "model_size_in_billions",
      "quantizations",
      "support_draft_model"
    ],
    "additionalProperties": false
  },
  "EnginesReply": {
    "type": "object",
    "additionalProperties": {
      "anyOf": [
        {
          "type": "array",
          "items": {
            "$ref": "#/components/schemas/EngineOffer"
          }
        },
        {
          "type": "string"
        }
      ]
    },
    "description": "Of `GET /v1/engines/{name}`: for each engine what it runs here, or a text that says why it runs nothing and what would help."
  },
  "ErrorReply": {
    "type": "object",
    "properties": {
      "error": {
        "type": "object",
        "properties": {
          "message": {
            "type": "string",
            "description": "For a person: what happened, with the values, then what to do."
          },
          "type": {
            "type": "string",
            "enum": [
              "invalid_request_error",
              "rate_limit_error",
              "server_error"
            ],
            "description": "OpenAI's name for this kind of failure."
          },
          "param": {
            "type": [
              "string",
              "null"
            ],
            "description": "The field it is about, such as `messages[0].content`, or `null`."
          },
          "code": {
            "type": "string",
            "description": "Stable; see the table of errors."
          }
        },
        "required": [
          "message",
          "type",
          "param",
          "code"
        ],
        "additionalProperties": false,
        "description": "What went wrong."
      },
      "detail": {
        "type": "string",
        "description": "The message once more, where Xinference's clients look for it. Not in streams."
      }
    },
    "required": [
      "error"
    ],
    "additionalProperties": false,
    "description": "Every error, in OpenAI's form with Xinference's beside it: as a reply's body, and as the last event of a broken stream."
  },
  "FamiliesReply": {
    "type": "object",
    "additionalProperties": {
      "type": "array",
      "items": {
        "type": "string"
      }
    },
    "description": "Ability → names."
  },
  "FileDeleted": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the file that was deleted."
      },
      "object": {
        "type": "string",
        "const": "file",
        "description": "Always `file`."
      },
      "deleted": {
        "type": "boolean",
        "const": true,
        "description": "Always `true`."
      }
    },
    "required": [
      "id",
      "object",
      "deleted"
    ],
    "additionalProperties": false
  },
  "FileList": {
    "type": "object",
    "properties": {
      "object": {
        "type": "string",
        "const": "list",
        "description": "Always `list`."
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/FileObject"
        },
        "description": "The files, in the order that was asked for."
      },
      "first_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the first of them, or `null`."
      },
      "last_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the last of them, for `after`, or `null`."
      },
      "has_more": {
        "type": "boolean",
        "description": "Whether there are more."
      }
    },
    "required": [
      "object",
      "data",
      "first_id",
      "last_id",
      "has_more"
    ],
    "additionalProperties": false
  },
  "FileObject": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the file, `file-…`."
      },
      "object": {
        "type": "string",
        "const": "file",
        "description": "Always `file`."
      },
      "bytes": {
        "type": "number",
        "description": "Its size in bytes."
      },
      "created_at": {
        "type": "number",
        "description": "When it was sent, in seconds since 1970."
      },
      "expires_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When it is deleted, in seconds since 1970; `null`: it is kept."
      },
      "filename": {
        "type": "string",
        "description": "The name it was sent with; it is only shown."
      },
      "purpose": {
        "type": "string",
        "description": "What it is for; `batch_output` of files that batches make."
      },
      "status": {
        "type": "string",
        "const": "processed",
        "description": "Always `processed`."
      }
    },
    "required": [
      "id",
      "object",
      "bytes",
      "created_at",
      "expires_at",
      "filename",
      "purpose",
      "status"
    ],
    "additionalProperties": false
  },
  "HealthReply": {
    "type": "object",
    "properties": {
      "status": {
        "type": "string",
        "const": "ok",
        "description": "Always `ok`."
      },
      "version": {
        "type": "string",
        "description": "Version of this program."
      }
    },
    "required": [
      "status",
      "version"
    ],
    "additionalProperties": false
  },
  "ImageReceipt": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "seen": {
            "type": "boolean",
            "const": true,
            "description": "The model was given this picture."
          },
          "seen_by_last_turn": {
            "type": "boolean",
            "description": "Whether the text of the last turn, and so the answer, looks at it; a later group hides an earlier."
          },
          "width": {
            "type": "number",
            "description": "Its width, in pixels."
          },
          "height": {
            "type": "number",
            "description": "Its height, in pixels."
          },
          "grid": {
            "type": "object",
            "properties": {
              "rows": {
                "type": "number",
                "description": "Tiles from top to bottom."
              },
              "columns": {
                "type": "number",
                "description": "Tiles from left to right."
              }
            },
            "required": [
              "rows",
              "columns"
            ],
            "additionalProperties": false,
            "description": "Tiles it was cut into."
          },
          "resized": {
            "type": "object",
            "properties": {
              "width": {
                "type": "number",
                "description": "In pixels."
              },
              "height": {
                "type": "number",
                "description": "In pixels."
              }
            },
            "required": [
              "width",
              "height"
            ],
            "additionalProperties": false,
            "description": "Its size when it was cut."
          },
          "aspect_ratio_id": {
            "type": "number",
            "description": "The number that the model gives this grid."
          },
          "cached": {
            "type": "boolean",
            "description": "Whether its encoding was still there from an earlier request."
          },
          "cached_in": {
            "type": "string",
            "enum": [
              "memory",
              "disk"
            ],
            "description": "Where: in memory, or on disk, from which its states were computed. Absent when it was not."
          },
          "encode_ms": {
            "type": "number",
            "description": "Milliseconds until its states were there; 0 when they were in memory."
          }
        },
        "required": [
          "seen",
          "seen_by_last_turn",
          "width",
          "height",
          "grid",
          "resized",
          "aspect_ratio_id",
          "cached",
          "encode_ms"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "seen": {
            "type": "boolean",
            "const": false,
            "description": "The model was not given this picture."
          },
          "seen_by_last_turn": {
            "type": "boolean",
            "description": "Whether the text of the last turn would look at it."
          }
        },
        "required": [
          "seen",
          "seen_by_last_turn"
        ],
        "additionalProperties": false
      }
    ],
    "description": "One picture of the request, in order."
  },
  "InstancesReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/ModelInstanceRecord"
    }
  },
  "KeyRecord": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the key."
      },
      "name": {
        "type": "string",
        "description": "What it is called."
      },
      "description": {
        "type": "string",
        "description": "What it is for; perhaps empty."
      },
      "prefix": {
        "type": "string",
        "description": "Its first letters; the rest is not kept."
      },
      "owner": {
        "type": [
          "string",
          "null"
        ],
        "description": "Name of the account that made it, or `null`."
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it may do."
      },
      "models": {
        "anyOf": [
          {
            "type": "array",
            "items": {
              "type": "string"
            }
          },
          {
            "type": "null"
          }
        ],
        "description": "Uids of the models that it may ask; `null`: all."
      },
      "enabled": {
        "type": "boolean",
        "description": "Whether it may be used."
      },
      "created_at": {
        "type": "string",
        "description": "When it was made, ISO 8601."
      },
      "expires_at": {
        "type": [
          "string",
          "null"
        ],
        "description": "When it ends, ISO 8601; `null`: never."
      },
      "last_used_at": {
        "type": [
          "string",
          "null"
        ],
        "description": "When it was last used, ISO 8601; `null`: never."
      },
      "used_today": {
        "type": "object",
        "properties": {
          "requests": {
            "type": "number",
            "description": "Requests."
          },
          "tokens": {
            "type": "number",
            "description": "Tokens of prompts and answers."
          },
          "images": {
            "type": "number",
            "description": "Pictures."
          }
        },
        "required": [
          "requests",
          "tokens",
          "images"
        ],
        "additionalProperties": false,
        "description": "What it took since midnight, UTC."
      },
      "requests_per_minute": {
        "type": [
          "number",
          "null"
        ],
        "description": "Requests in a minute at most; `null`: as many as come."
      },
      "tokens_per_day": {
        "type": [
          "number",
          "null"
        ],
        "description": "Tokens in a day at most, of prompts and answers; `null`: as many as come."
      },
      "images_per_day": {
        "type": [
          "number",
          "null"
        ],
        "description": "Pictures in a day at most; `null`: as many as come."
      },
      "max_concurrent": {
        "type": [
          "number",
          "null"
        ],
        "description": "Requests at the same time at most; `null`: as many as come."
      }
    },
    "required": [
      "created_at",
      "description",
      "enabled",
      "expires_at",
      "id",
      "images_per_day",
      "last_used_at",
      "max_concurrent",
      "models",
      "name",
      "owner",
      "permissions",
      "prefix",
      "requests_per_minute",
      "tokens_per_day",
      "used_today"
    ]
  },
  "KeysReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/KeyRecord"
    }
  },
  "LaunchLine": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "stage",
            "description": "A stage goes on."
          },
          "stage": {
            "type": "string",
            "description": "`finding the files`, `downloading`, then the engine's own stages, and `warming up`."
          },
          "fraction": {
            "type": [
              "number",
              "null"
            ],
            "description": "Of the stage, 0 to 1; `null` when it cannot be told."
          },
          "total_bytes": {
            "type": [
              "number",
              "null"
            ],
            "description": "What the fraction is of, where it is bytes; else `null`."
          }
        },
        "required": [
          "type",
          "stage",
          "fraction",
          "total_bytes"
        ],
        "additionalProperties": false
      },
      {
        "$ref": "#/components/schemas/DownloadLine"
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "ready",
            "description": "The model answers; the last line."
          },
          "model": {
            "$ref": "#/components/schemas/ModelRecord",
            "description": "The model, as `GET /v1/models/{uid}` has it."
          }
        },
        "required": [
          "type",
          "model"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "failed",
            "description": "The launch failed; the last line."
          },
          "error": {
            "type": "object",
            "properties": {
              "code": {
                "type": "string",
                "description": "Stable; see the table of errors."
              },
              "message": {
                "type": "string",
                "description": "For a person: what happened, and what to do."
              }
            },
            "required": [
              "code",
              "message"
            ],
            "additionalProperties": false,
            "description": "Why."
          }
        },
        "required": [
          "type",
          "error"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "terminated",
            "description": "The launch was given up; the last line."
          }
        },
        "required": [
          "type"
        ],
        "additionalProperties": false
      }
    ],
    "description": "Any number of the others, then exactly one `ready`, `failed` or `terminated`. Whoever comes late gets what still counts of what came before."
  },
  "LaunchReply": {
    "type": "object",
    "properties": {
      "model_uid": {
        "type": "string",
        "description": "The name that the model answers to."
      }
    },
    "required": [
      "model_uid"
    ],
    "additionalProperties": false
  },
  "LoginReply": {
    "type": "object",
    "properties": {
      "access_token": {
        "type": "string",
        "description": "For the header `authorization: Bearer …`."
      },
      "token_type": {
        "type": "string",
        "const": "bearer",
        "description": "Always `bearer`."
      },
      "refresh_token": {
        "type": "string",
        "description": "For `POST /v1/auth/refresh`, once. Not for accounts of an `--auth-config` file."
      },
      "expires_in": {
        "type": "number",
        "description": "Seconds until the access token ends."
      },
      "must_change_password": {
        "type": "boolean",
        "description": "Whether the password must be changed before anything else."
      }
    },
    "required": [
      "access_token",
      "token_type",
      "must_change_password"
    ],
    "additionalProperties": false
  },
  "ModelEventRecord": {
    "type": "object",
    "properties": {
      "event_type": {
        "type": "string",
        "enum": [
          "INFO",
          "WARNING",
          "ERROR"
        ],
        "description": "How grave it is."
      },
      "event_ts": {
        "type": "number",
        "description": "When it was, in seconds since 1970."
      },
      "event_content": {
        "type": "string",
        "description": "What happened, in a sentence."
      }
    },
    "required": [
      "event_type",
      "event_ts",
      "event_content"
    ],
    "additionalProperties": false
  },
  "ModelEventsReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/ModelEventRecord"
    }
  },
  "ModelInstanceRecord": {
    "type": "object",
    "properties": {
      "model_name": {
        "type": "string",
        "description": "Name of the model."
      },
      "model_uid": {
        "type": "string",
        "description": "The name that it answers to."
      },
      "model_version": {
        "type": "string",
        "description": "Such as `llama-3.2-vision--11B--pytorch--none`."
      },
      "model_ability": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it can do; empty until the model is ready."
      },
      "replica": {
        "type": "number",
        "description": "How many processes have it."
      },
      "n_worker": {
        "type": "number",
        "const": 1,
        "description": "Always 1: a replica is on one machine."
      },
      "status": {
        "$ref": "#/components/schemas/ModelStatus",
        "description": "How it is."
      },
      "instance_created_ts": {
        "type": "number",
        "description": "When it was launched, in seconds since 1970."
      },
      "error_message": {
        "type": "string",
        "description": "Why it failed, when its status is ERROR."
      },
      "replica_statuses": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ReplicaStatusRecord"
        },
        "description": "How each replica is."
      }
    },
    "required": [
      "model_name",
      "model_uid",
      "model_version",
      "model_ability",
      "replica",
      "n_worker",
      "status",
      "instance_created_ts",
      "replica_statuses"
    ],
    "additionalProperties": false
  },
  "ModelList": {
    "type": "object",
    "properties": {
      "object": {
        "type": "string",
        "const": "list",
        "description": "Always `list`."
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ModelRecord"
        },
        "description": "The models."
      }
    },
    "required": [
      "object",
      "data"
    ],
    "additionalProperties": false
  },
  "ModelRecord": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "The name that the model answers to."
      },
      "object": {
        "type": "string",
        "const": "model",
        "description": "Always `model`."
      },
      "created": {
        "type": "number",
        "description": "When it was launched, in seconds since 1970."
      },
      "owned_by": {
        "type": "string",
        "const": "atalaya",
        "description": "Always `atalaya`."
      },
      "model_type": {
        "type": "string",
        "const": "LLM",
        "description": "Always `LLM`."
      },
      "model_name": {
        "type": "string",
        "description": "Name of its family, or of its directory."
      },
      "model_engine": {
        "type": "string",
        "description": "Which engine runs it, as it was asked for."
      },
      "model_format": {
        "type": "string",
        "description": "Format of its files."
      },
      "quantization": {
        "type": "string",
        "description": "What its weights are made of; `none`: as they were published."
      },
      "model_size_in_billions": {
        "type": [
          "number",
          "null"
        ],
        "description": "Weights in billions; `null` when that is not known."
      },
      "model_source": {
        "type": "string",
        "description": "Whose store it was found in, where that is another program's: `ollama:…`."
      },
      "model_ability": {
        "type": "array",
        "items": {
          "type": "string",
          "enum": [
            "chat",
            "generate",
            "vision",
            "tools"
          ]
        },
        "description": "What it can do."
      },
      "model_lang": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Languages, ISO 639-1."
      },
      "model_description": {
        "type": "string",
        "description": "What it is, in a sentence."
      },
      "model_family": {
        "type": "string",
        "description": "Family that it is of."
      },
      "model_hub": {
        "type": [
          "string",
          "null"
        ],
        "description": "Where its files come from, or `null`."
      },
      "revision": {
        "type": [
          "string",
          "null"
        ],
        "description": "Which commit of them, or `null`."
      },
      "address": {
        "type": "string",
        "description": "Address of the server: replicas have none of their own."
      },
      "accelerators": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Graphics cards that it was given, by number."
      },
      "placement": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/PlacedPartRecord"
        },
        "description": "What lies on which device, when a part of it lies on cards; of its first replica."
      },
      "multimodal_projector": {
        "type": "null",
        "description": "Always `null`: the tower is part of the model."
      },
      "strict_system_first": {
        "type": "boolean",
        "const": false,
        "description": "Always `false`: further system messages may come anywhere in a conversation."
      },
      "context_length": {
        "type": [
          "number",
          "null"
        ],
        "description": "Tokens of prompt and answer together; `null` until the model is ready."
      },
      "replica": {
        "type": "number",
        "description": "How many processes have it."
      },
      "profile": {
        "type": "string",
        "enum": [
          "ref",
          "hf"
        ],
        "description": "Whose semantics it runs with: Meta's (`ref`) or those of Transformers (`hf`)."
      },
      "state": {
        "$ref": "#/components/schemas/ModelState",
        "description": "How it is."
      },
      "progress": {
        "type": "object",
        "properties": {
          "stage": {
            "type": "string",
            "description": "What is being done."
          },
          "fraction": {
            "type": [
              "number",
              "null"
            ],
            "description": "Of the stage, 0 to 1; `null` when it cannot be told."
          }
        },
        "required": [
          "stage",
          "fraction"
        ],
        "additionalProperties": false,
        "description": "How far its launch is, while it starts."
      },
      "error": {
        "type": "object",
        "properties": {
          "code": {
            "type": "string",
            "description": "Stable; see the table of errors."
          },
          "message": {
            "type": "string",
            "description": "For a person: what happened, and what to do."
          }
        },
        "required": [
          "code",
          "message"
        ],
        "additionalProperties": false,
        "description": "What went wrong: when failed, or ready but unable to answer."
      }
    },
    "required": [
      "id",
      "object",
      "created",
      "owned_by",
      "model_type",
      "model_name",
      "model_engine",
      "model_format",
      "quantization",
      "model_size_in_billions",
      "model_ability",
      "model_lang",
      "model_description",
      "model_family",
      "model_hub",
      "revision",
      "address",
      "accelerators",
      "multimodal_projector",
      "strict_system_first",
      "context_length",
      "replica",
      "profile",
      "state"
    ],
    "additionalProperties": false,
    "description": "One row of `GET /v1/models`; alone, the answer of `GET /v1/models/{uid}`."
  },
  "ModelState": {
    "type": "string",
    "enum": [
      "starting",
      "ready",
      "failed",
      "stopping"
    ]
  },
  "ModelStatus": {
    "type": "string",
    "enum": [
      "CREATING",
      "READY",
      "ERROR",
      "TERMINATING"
    ]
  },
  "ModerationReply": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the answer, `modr-…`."
      },
      "model": {
        "type": "string",
        "description": "Name of the guard that was asked."
      },
      "results": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ModerationResult"
        },
        "description": "One for each input."
      }
    },
    "required": [
      "id",
      "model",
      "results"
    ],
    "additionalProperties": false
  },
  "ModerationResult": {
    "type": "object",
    "properties": {
      "flagged": {
        "type": "boolean",
        "description": "Whether `unsafe` is likelier than `safe`."
      },
      "categories": {
        "type": "object",
        "properties": {
          "harassment": {
            "type": "boolean",
            "description": "OpenAI's category harassment."
          },
          "harassment/threatening": {
            "type": "boolean",
            "description": "OpenAI's category harassment/threatening."
          },
          "hate": {
            "type": "boolean",
            "description": "OpenAI's category hate."
          },
          "hate/threatening": {
            "type": "boolean",
            "description": "OpenAI's category hate/threatening."
          },
          "illicit": {
            "type": "boolean",
            "description": "OpenAI's category illicit."
          },
          "illicit/violent": {
            "type": "boolean",
            "description": "OpenAI's category illicit/violent."
          },
          "self-harm": {
            "type": "boolean",
            "description": "OpenAI's category self-harm."
          },
          "self-harm/intent": {
            "type": "boolean",
            "description": "OpenAI's category self-harm/intent."
          },
          "self-harm/instructions": {
            "type": "boolean",
            "description": "OpenAI's category self-harm/instructions."
          },
          "sexual": {
            "type": "boolean",
            "description": "OpenAI's category sexual."
          },
          "sexual/minors": {
            "type": "boolean",
            "description": "OpenAI's category sexual/minors."
          },
          "violence": {
            "type": "boolean",
            "description": "OpenAI's category violence."
          },
          "violence/graphic": {
            "type": "boolean",
            "description": "OpenAI's category violence/graphic."
          }
        },
        "required": [
          "harassment",
          "harassment/threatening",
          "hate",
          "hate/threatening",
          "illicit",
          "illicit/violent",
          "self-harm",
          "self-harm/intent",
          "self-harm/instructions",
          "sexual",
          "sexual/minors",
          "violence",
          "violence/graphic"
        ],
        "additionalProperties": false,
        "description": "OpenAI's categories: whether each applies."
      },
      "category_scores": {
        "type": "object",
        "properties": {
          "harassment": {
            "type": "number",
            "description": "OpenAI's category harassment."
          },
          "harassment/threatening": {
            "type": "number",
            "description": "OpenAI's category harassment/threatening."
          },
          "hate": {
            "type": "number",
            "description": "OpenAI's category hate."
          },
          "hate/threatening": {
            "type": "number",
            "description": "OpenAI's category hate/threatening."
          },
          "illicit": {
            "type": "number",
            "description": "OpenAI's category illicit."
          },
          "illicit/violent": {
            "type": "number",
            "description": "OpenAI's category illicit/violent."
          },
          "self-harm": {
            "type": "number",
            "description": "OpenAI's category self-harm."
          },
          "self-harm/intent": {
            "type": "number",
            "description": "OpenAI's category self-harm/intent."
          },
          "self-harm/instructions": {
            "type": "number",
            "description": "OpenAI's category self-harm/instructions."
          },
          "sexual": {
            "type": "number",
            "description": "OpenAI's category sexual."
          },
          "sexual/minors": {
            "type": "number",
            "description": "OpenAI's category sexual/minors."
          },
          "violence": {
            "type": "number",
            "description": "OpenAI's category violence."
          },
          "violence/graphic": {
            "type": "number",
            "description": "OpenAI's category violence/graphic."
          }
        },
        "required": [
          "harassment",
          "harassment/threatening",
          "hate",
          "hate/threatening",
          "illicit",
          "illicit/violent",
          "self-harm",
          "self-harm/intent",
          "self-harm/instructions",
          "sexual",
          "sexual/minors",
          "violence",
          "violence/graphic"
        ],
        "additionalProperties": false,
        "description": "How likely each category is, 0 to 1."
      },
      "category_applied_input_types": {
        "type": "object",
        "properties": {
          "harassment": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category harassment."
          },
          "harassment/threatening": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category harassment/threatening."
          },
          "hate": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category hate."
          },
          "hate/threatening": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category hate/threatening."
          },
          "illicit": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category illicit."
          },
          "illicit/violent": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category illicit/violent."
          },
          "self-harm": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category self-harm."
          },
          "self-harm/intent": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category self-harm/intent."
          },
          "self-harm/instructions": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category self-harm/instructions."
          },
          "sexual": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category sexual."
          },
          "sexual/minors": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category sexual/minors."
          },
          "violence": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category violence."
          },
          "violence/graphic": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            },
            "description": "OpenAI's category violence/graphic."
          }
        },
        "required": [
          "harassment",
          "harassment/threatening",
          "hate",
          "hate/threatening",
          "illicit",
          "illicit/violent",
          "self-harm",
          "self-harm/intent",
          "self-harm/instructions",
          "sexual",
          "sexual/minors",
          "violence",
          "violence/graphic"
        ],
        "additionalProperties": false,
        "description": "What of the input each category was judged by."
      },
      "llama_guard": {
        "type": "object",
        "properties": {
          "verdict": {
            "type": "string",
            "enum": [
              "safe",
              "unsafe"
            ],
            "description": "The first word of its answer."
          },
          "unsafe_probability": {
            "type": "number",
            "description": "Probability of `unsafe` against `safe`, for the first word of the answer."
          },
          "hazards": {
            "type": "object",
            "properties": {
              "S1": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Violent Crimes."
              },
              "S2": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Non-Violent Crimes."
              },
              "S3": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Sex Crimes."
              },
              "S4": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Child Exploitation."
              },
              "S5": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Defamation."
              },
              "S6": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Specialized Advice."
              },
              "S7": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Privacy."
              },
              "S8": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Intellectual Property."
              },
              "S9": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Indiscriminate Weapons."
              },
              "S10": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Hate."
              },
              "S11": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Self-Harm."
              },
              "S12": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Sexual Content."
              },
              "S13": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Elections."
              },
              "S14": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "What the hazard is."
                  },
                  "flagged": {
                    "type": "boolean",
                    "description": "Whether the answer named it."
                  },
                  "score": {
                    "type": "number",
                    "description": "How likely it is, 0 to 1."
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false,
                "description": "Code Interpreter Abuse."
              }
            },
            "required": [
              "S1",
              "S2",
              "S3",
              "S4",
              "S5",
              "S6",
              "S7",
              "S8",
              "S9",
              "S10",
              "S11",
              "S12",
              "S13",
              "S14"
            ],
            "additionalProperties": false,
            "description": "The guard's own hazards, S1 to S14."
          }
        },
        "required": [
          "verdict",
          "unsafe_probability",
          "hazards"
        ],
        "additionalProperties": false,
        "description": "What the model itself said."
      }
    },
    "required": [
      "flagged",
      "categories",
      "category_scores",
      "category_applied_input_types",
      "llama_guard"
    ],
    "additionalProperties": false
  },
  "NewKeyReply": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "api_key": {
        "type": "string",
        "description": "The key itself; only this reply has it."
      },
      "id": {
        "type": "string",
        "description": "Id of the key."
      },
      "name": {
        "type": "string",
        "description": "What it is called."
      },
      "description": {
        "type": "string",
        "description": "What it is for; perhaps empty."
      },
      "prefix": {
        "type": "string",
        "description": "Its first letters; the rest is not kept."
      },
      "owner": {
        "type": [
          "string",
          "null"
        ],
        "description": "Name of the account that made it, or `null`."
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it may do."
      },
      "models": {
        "anyOf": [
          {
            "type": "array",
            "items": {
              "type": "string"
            }
          },
          {
            "type": "null"
          }
        ],
        "description": "Uids of the models that it may ask; `null`: all."
      },
      "enabled": {
        "type": "boolean",
        "description": "Whether it may be used."
      },
      "created_at": {
        "type": "string",
        "description": "When it was made, ISO 8601."
      },
      "expires_at": {
        "type": [
          "string",
          "null"
        ],
        "description": "When it ends, ISO 8601; `null`: never."
      },
      "last_used_at": {
        "type": [
          "string",
          "null"
        ],
        "description": "When it was last used, ISO 8601; `null`: never."
      },
      "used_today": {
        "type": "object",
        "properties": {
          "requests": {
            "type": "number",
            "description": "Requests."
          },
          "tokens": {
            "type": "number",
            "description": "Tokens of prompts and answers."
          },
          "images": {
            "type": "number",
            "description": "Pictures."
          }
        },
        "required": [
          "requests",
          "tokens",
          "images"
        ],
        "additionalProperties": false,
        "description": "What it took since midnight, UTC."
      },
      "requests_per_minute": {
        "type": [
          "number",
          "null"
        ],
        "description": "Requests in a minute at most; `null`: as many as come."
      },
      "tokens_per_day": {
        "type": [
          "number",
          "null"
        ],
        "description": "Tokens in a day at most, of prompts and answers; `null`: as many as come."
      },
      "images_per_day": {
        "type": [
          "number",
          "null"
        ],
        "description": "Pictures in a day at most; `null`: as many as come."
      },
      "max_concurrent": {
        "type": [
          "number",
          "null"
        ],
        "description": "Requests at the same time at most; `null`: as many as come."
      }
    },
    "required": [
      "api_key",
      "created_at",
      "description",
      "enabled",
      "expires_at",
      "id",
      "images_per_day",
      "last_used_at",
      "max_concurrent",
      "models",
      "name",
      "owner",
      "permissions",
      "prefix",
      "requests_per_minute",
      "tokens_per_day",
      "used_today"
    ],
    "description": "The only time that the key itself is told."
  },
  "OllamaChatLine": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "message": {
        "type": "object",
        "properties": {
          "role": {
            "type": "string",
            "const": "assistant",
            "description": "Always `assistant`."
          },
          "content": {
            "type": "string",
            "description": "The text, or its next piece."
          },
          "tool_calls": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/OllamaToolCallReply"
            },
            "description": "Calls of functions, in a line of their own in front of the last one."
          }
        },
        "required": [
          "role",
          "content"
        ],
        "additionalProperties": false,
        "description": "What the model said, or the next piece of it."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "created_at": {
        "type": "string",
        "description": "When this was said, ISO 8601."
      },
      "logprobs": {
        "$ref": "#/components/schemas/OllamaLogprobs",
        "description": "Of the tokens of this line, with `logprobs` in the request."
      },
      "done": {
        "type": "boolean",
        "description": "Whether this is the last line."
      },
      "done_reason": {
        "type": "string",
        "description": "Why the answer ended, in the last line: `stop`, `length`, `load` or `unload`."
      },
      "total_duration": {
        "type": "number",
        "description": "From the request to its end, in nanoseconds, as the other durations; in the last line."
      },
      "load_duration": {
        "type": "number",
        "description": "Until the engine began with it."
      },
      "prompt_eval_count": {
        "type": "number",
        "description": "Tokens of the prompt."
      },
      "prompt_eval_duration": {
        "type": "number",
        "description": "Until the first token of the answer."
      },
      "eval_count": {
        "type": "number",
        "description": "Tokens of the answer."
      },
      "eval_duration": {
        "type": "number",
        "description": "From the first token of the answer to the last."
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "The receipt, in the last line: what became of each picture and each field."
      }
    },
    "required": [
      "created_at",
      "done",
      "message",
      "model"
    ],
    "description": "A line of `POST /api/chat`, or all of its answer."
  },
  "OllamaDetails": {
    "type": "object",
    "properties": {
      "parent_model": {
        "type": "string",
        "const": "",
        "description": "Always empty."
      },
      "format": {
        "type": "string",
        "const": "safetensors",
        "description": "Always `safetensors`."
      },
      "family": {
        "type": "string",
        "const": "mllama",
        "description": "Always `mllama`."
      },
      "families": {
        "type": "array",
        "items": {
          "type": "string",
          "const": "mllama"
        },
        "minItems": 1,
        "maxItems": 1,
        "description": "Always `mllama` alone."
      },
      "parameter_size": {
        "type": "string",
        "description": "Such as `10.7B`; empty when it is not known."
      },
      "quantization_level": {
        "type": "string",
        "description": "Such as `BF16`; empty when it is not known."
      }
    },
    "required": [
      "parent_model",
      "format",
      "family",
      "families",
      "parameter_size",
      "quantization_level"
    ],
    "additionalProperties": false
  },
  "OllamaErrorReply": {
    "type": "object",
    "properties": {
      "error": {
        "type": "string",
        "description": "For a person: what happened, with the values, then what to do."
      },
      "code": {
        "type": "string",
        "description": "Ours, and stable; see the table of errors."
      }
    },
    "required": [
      "error",
      "code"
    ],
    "additionalProperties": false
  },
  "OllamaGenerateLine": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "response": {
        "type": "string",
        "description": "The text, or its next piece."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "created_at": {
        "type": "string",
        "description": "When this was said, ISO 8601."
      },
      "logprobs": {
        "$ref": "#/components/schemas/OllamaLogprobs",
        "description": "Of the tokens of this line, with `logprobs` in the request."
      },
      "done": {
        "type": "boolean",
        "description": "Whether this is the last line."
      },
      "done_reason": {
        "type": "string",
        "description": "Why the answer ended, in the last line: `stop`, `length`, `load` or `unload`."
      },
      "total_duration": {
        "type": "number",
        "description": "From the request to its end, in nanoseconds, as the other durations; in the last line."
      },
      "load_duration": {
        "type": "number",
        "description": "Until the engine began with it."
      },
      "prompt_eval_count": {
        "type": "number",
        "description": "Tokens of the prompt."
      },
      "prompt_eval_duration": {
        "type": "number",
        "description": "Until the first token of the answer."
      },
      "eval_count": {
        "type": "number",
        "description": "Tokens of the answer."
      },
      "eval_duration": {
        "type": "number",
        "description": "From the first token of the answer to the last."
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "The receipt, in the last line: what became of each picture and each field."
      }
    },
    "required": [
      "created_at",
      "done",
      "model",
      "response"
    ],
    "description": "A line of `POST /api/generate`, or all of its answer."
  },
  "OllamaLogprobs": {
    "type": "array",
    "items": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "top_logprobs": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "token": {
                "type": "string",
                "description": "The token as text; half a character is shown as U+FFFD."
              },
              "logprob": {
                "type": "number",
                "description": "Natural logarithm of its probability; at least -9999."
              },
              "bytes": {
                "type": "array",
                "items": {
                  "type": "number"
                },
                "description": "The token's own bytes: it may be half a character."
              }
            },
            "required": [
              "token",
              "logprob",
              "bytes"
            ],
            "additionalProperties": false
          },
          "description": "The likeliest tokens in this place, as many as were asked for."
        },
        "token": {
          "type": "string",
          "description": "The token as text; half a character is shown as U+FFFD."
        },
        "logprob": {
          "type": "number",
          "description": "Natural logarithm of its probability; at least -9999."
        },
        "bytes": {
          "type": "array",
          "items": {
            "type": "number"
          },
          "description": "The token's own bytes: it may be half a character."
        }
      },
      "required": [
        "bytes",
        "logprob",
        "token",
        "top_logprobs"
      ]
    }
  },
  "OllamaModel": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string",
        "description": "The name that it answers to."
      },
      "model": {
        "type": "string",
        "description": "The same once more."
      },
      "modified_at": {
        "type": "string",
        "description": "When its files last changed, ISO 8601."
      },
      "size": {
        "type": "number",
        "description": "Bytes of its files."
      },
      "digest": {
        "type": "string",
        "description": "Tells checkpoints apart by the names, sizes and times of their files; no hash of the weights."
      },
      "details": {
        "$ref": "#/components/schemas/OllamaDetails",
        "description": "What kind of model it is."
      },
      "expires_at": {
        "type": "string",
        "description": "When it is freed, ISO 8601; of `ps`."
      },
      "size_vram": {
        "type": "number",
        "description": "Bytes on graphics cards; of `ps`."
      },
      "context_length": {
        "type": "number",
        "description": "Tokens of prompt and answer together; of `ps`."
      }
    },
    "required": [
      "name",
      "model",
      "modified_at",
      "size",
      "digest",
      "details"
    ],
    "additionalProperties": false,
    "description": "A row of `tags`; with the last three, of `ps`."
  },
  "OllamaModels": {
    "type": "object",
    "properties": {
      "models": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/OllamaModel"
        },
        "description": "The models."
      }
    },
    "required": [
      "models"
    ],
    "additionalProperties": false,
    "description": "Of `GET /api/tags` and `GET /api/ps`."
  },
  "OllamaShown": {
    "type": "object",
    "properties": {
      "modelfile": {
        "type": "string",
        "const": "",
        "description": "Always empty: models are not made of Modelfiles here."
      },
      "parameters": {
        "type": "string",
        "description": "What a request starts from, a setting a line."
      },
      "template": {
        "type": "string",
        "const": "",
        "description": "Always empty: the template is the checkpoint's own."
      },
      "details": {
        "$ref": "#/components/schemas/OllamaDetails",
        "description": "What kind of model it is."
      },
      "model_info": {
        "type": "object",
        "additionalProperties": {
          "type": [
            "string",
            "number",
            "null"
          ]
        },
        "description": "Its numbers, under the names of GGUF."
      },
      "capabilities": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it can do."
      },
      "modified_at": {
        "type": "string",
        "description": "When its files last changed, ISO 8601."
      },
      "atalaya": {
        "type": "object",
        "properties": {
          "uid": {
            "type": [
              "string",
              "null"
            ],
            "description": "The name that it answers to; `null` when it is not loaded."
          },
          "has_chat_template": {
            "type": [
              "boolean",
              "null"
            ],
            "description": "Whether it chats; `null` when it is not loaded."
          }
        },
        "required": [
          "uid",
          "has_chat_template"
        ],
        "additionalProperties": false,
        "description": "What this server knows of it beside that."
      }
    },
    "required": [
      "modelfile",
      "parameters",
      "template",
      "details",
      "model_info",
      "capabilities",
      "modified_at",
      "atalaya"
    ],
    "additionalProperties": false,
    "description": "Of `POST /api/show`."
  },
  "OllamaStatus": {
    "type": "object",
    "properties": {
      "status": {
        "type": "string",
        "description": "How the pull goes; `success` in the end."
      }
    },
    "required": [
      "status"
    ],
    "additionalProperties": false,
    "description": "A line of `POST /api/pull`."
  },
  "OllamaToolCallReply": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the call, for its result's `tool_call_id`."
      },
      "function": {
        "type": "object",
        "properties": {
          "index": {
            "type": "number",
            "description": "Number of the call, from 0."
          },
          "name": {
            "type": "string",
            "description": "Name of the function."
          },
          "arguments": {
            "type": "object",
            "additionalProperties": {},
            "description": "Its arguments, by name."
          }
        },
        "required": [
          "index",
          "name",
          "arguments"
        ],
        "additionalProperties": false,
        "description": "What is called, and with what."
      }
    },
    "required": [
      "id",
      "function"
    ],
    "additionalProperties": false
  },
  "OllamaVersion": {
    "type": "object",
    "properties": {
      "version": {
        "type": "string",
        "description": "Version of Ollama whose API this is."
      },
      "atalaya": {
        "type": "string",
        "description": "Version of this program."
      }
    },
    "required": [
      "version",
      "atalaya"
    ],
    "additionalProperties": false
  },
  "OptionScore": {
    "type": "object",
    "properties": {
      "text": {
        "type": "string",
        "description": "The answer, as it was listed."
      },
      "logprob": {
        "type": "number",
        "description": "Natural logarithm of the probability of this answer, as the model would give it."
      },
      "probability": {
        "type": "number",
        "description": "Among the listed answers, which together have 1."
      }
    },
    "required": [
      "text",
      "logprob",
      "probability"
    ],
    "additionalProperties": false,
    "description": "What one of the listed answers is worth."
  },
  "OwnPasswordReply": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "access_token": {
        "type": "string",
        "description": "For the header `authorization: Bearer …`."
      },
      "token_type": {
        "type": "string",
        "const": "bearer",
        "description": "Always `bearer`."
      },
      "refresh_token": {
        "type": "string",
        "description": "For `POST /v1/auth/refresh`, once. Not for accounts of an `--auth-config` file."
      },
      "expires_in": {
        "type": "number",
        "description": "Seconds until the access token ends."
      },
      "must_change_password": {
        "type": "boolean",
        "description": "Whether the password must be changed before anything else."
      },
      "status": {
        "type": "string",
        "const": "ok",
        "description": "Always `ok`."
      }
    },
    "required": [
      "access_token",
      "must_change_password",
      "status",
      "token_type"
    ],
    "description": "The tokens of a new login: the change has ended all others, that of who asked too."
  },
  "PastLaunchRecord": {
    "type": "object",
    "properties": {
      "model_name": {
        "type": "string",
        "description": "Name of the model."
      },
      "model_uid": {
        "type": [
          "string",
          "null"
        ],
        "description": "The name it answered to, or `null`."
      },
      "data": {
        "description": "With what it was launched, as it was sent."
      },
      "updated_at": {
        "type": "string",
        "description": "When that was, ISO 8601."
      }
    },
    "required": [
      "model_name",
      "model_uid",
      "data",
      "updated_at"
    ],
    "additionalProperties": false
  },
  "PastLaunchesReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/PastLaunchRecord"
    }
  },
  "PlacedPartRecord": {
    "type": "object",
    "properties": {
      "device": {
        "type": "string",
        "description": "As `atalaya devices` has it."
      },
      "name": {
        "type": "string",
        "description": "As its driver calls it; empty for the processor."
      },
      "num_layers": {
        "type": "number",
        "description": "Of the text model."
      },
      "has_head": {
        "type": "boolean",
        "description": "Whether the output head lies there."
      },
      "has_tower": {
        "type": "boolean",
        "description": "Whether the vision tower lies there."
      },
      "bytes": {
        "type": "number",
        "description": "Weights, caches and buffers as planned; 0 for the processor."
      }
    },
    "required": [
      "device",
      "name",
      "num_layers",
      "has_head",
      "has_tower",
      "bytes"
    ],
    "additionalProperties": false
  },
  "ProgressReply": {
    "type": "object",
    "properties": {
      "progress": {
        "type": "number",
        "description": "0 to 1; exactly 1 when the model is ready."
      },
      "stage": {
        "type": "string",
        "enum": [
          "pending",
          "launching",
          "downloading",
          "loading"
        ],
        "description": "What is being done."
      },
      "download_files": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/DownloadFileRecord"
        },
        "description": "Files that are downloaded for it."
      },
      "replicas": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "replica_id": {
              "type": "number",
              "description": "Number of the replica, from 0."
            },
            "replica_model_uid": {
              "type": "string",
              "description": "Uid of the model with the replica's number."
            },
            "progress": {
              "type": "number",
              "description": "0 to 1."
            },
            "stage": {
              "type": "string",
              "description": "What is being done."
            },
            "info": {
              "type": "string",
              "description": "Why it failed; empty when it did not."
            },
            "updated_at": {
              "type": "number",
              "description": "When this was so, in seconds since 1970."
            },
            "download_files": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/DownloadFileRecord"
              },
              "description": "Files that are downloaded for it."
            }
          },
          "required": [
            "replica_id",
            "replica_model_uid",
            "progress",
            "stage",
            "info",
            "updated_at",
            "download_files"
          ],
          "additionalProperties": false
        },
        "description": "How far each replica is."
      }
    },
    "required": [
      "progress",
      "stage",
      "download_files",
      "replicas"
    ],
    "additionalProperties": false
  },
  "PromptsReply": {
    "type": "object",
    "additionalProperties": {
      "type": "object"
    }
  },
  "RegistrationRecord": {
    "type": "object",
    "properties": {
      "model_name": {
        "type": "string",
        "description": "Name of the model."
      },
      "is_builtin": {
        "type": "boolean",
        "description": "Whether it comes with the program."
      }
    },
    "required": [
      "model_name",
      "is_builtin"
    ],
    "additionalProperties": false
  },
  "RegistrationSpec": {
    "type": "object",
    "properties": {
      "model_format": {
        "type": "string",
        "description": "Format of the files."
      },
      "model_size_in_billions": {
        "type": "number",
        "description": "Weights in billions."
      },
      "quantization": {
        "type": "string",
        "description": "What its weights are made of; `none`: as they were published."
      },
      "model_hub": {
        "type": [
          "string",
          "null"
        ],
        "description": "Which hub has it, or `null`."
      },
      "model_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Owner and name of its repository there, or `null`."
      },
      "model_revision": {
        "type": [
          "string",
          "null"
        ],
        "description": "Which commit, or `null`."
      },
      "model_uri": {
        "type": [
          "string",
          "null"
        ],
        "description": "Where its files lie, of a model that was registered by path; else `null`."
      },
      "multimodal_projectors": {
        "type": "null",
        "description": "Always `null`: the tower is part of the model."
      },
      "cache_status": {
        "type": "boolean",
        "description": "Whether its files are on this machine, all of them."
      }
    },
    "required": [
      "model_format",
      "model_size_in_billions",
      "quantization",
      "model_hub",
      "model_id",
      "model_revision",
      "model_uri",
      "multimodal_projectors",
      "cache_status"
    ],
    "additionalProperties": false,
    "description": "One form of a model, from one place, in one quantization."
  },
  "RegistrationsReply": {
    "type": "array",
    "items": {
      "anyOf": [
        {
          "$ref": "#/components/schemas/RegistrationRecord"
        },
        {
          "$ref": "#/components/schemas/DetailedRegistration"
        }
      ]
    }
  },
  "RemoveReplicaReply": {
    "type": "object",
    "properties": {
      "remaining_replicas": {
        "type": "number",
        "description": "How many are left."
      }
    },
    "required": [
      "remaining_replicas"
    ],
    "additionalProperties": false
  },
  "ReplicaStatusRecord": {
    "type": "object",
    "properties": {
      "replica_id": {
        "type": "number",
        "description": "Number of the replica, from 0."
      },
      "replica_model_uid": {
        "type": "string",
        "description": "Uid of the model with the replica's number."
      },
      "replica_uid": {
        "type": [
          "string",
          "null"
        ],
        "description": "What its owner calls it, or `null`."
      },
      "worker_address": {
        "type": "string",
        "description": "Address of its machine."
      },
      "model_address": {
        "type": "string",
        "description": "Address that it is asked at: the server's."
      },
      "accelerators": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Graphics cards that it was given, by number."
      },
      "gpu_idx": {
        "type": "array",
        "items": {
          "type": "number"
        },
        "description": "The same as numbers."
      },
      "status": {
        "$ref": "#/components/schemas/ModelStatus",
        "description": "How it is."
      },
      "created_ts": {
        "type": "number",
        "description": "When it was launched, in seconds since 1970."
      },
      "error_message": {
        "type": [
          "string",
          "null"
        ],
        "description": "Why it failed, or `null`."
      }
    },
    "required": [
      "replica_id",
      "replica_model_uid",
      "replica_uid",
      "worker_address",
      "model_address",
      "accelerators",
      "gpu_idx",
      "status",
      "created_ts",
      "error_message"
    ],
    "additionalProperties": false
  },
  "ReplicasReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/ReplicaStatusRecord"
    }
  },
  "RequestProgressReply": {
    "type": "object",
    "properties": {
      "progress": {
        "type": "number",
        "description": "Always 0."
      }
    },
    "required": [
      "progress"
    ],
    "additionalProperties": false
  },
  "ResponseDeleted": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the response that was forgotten."
      },
      "object": {
        "type": "string",
        "const": "response",
        "description": "Always `response`."
      },
      "deleted": {
        "type": "boolean",
        "const": true,
        "description": "Always `true`."
      }
    },
    "required": [
      "id",
      "object",
      "deleted"
    ],
    "additionalProperties": false
  },
  "ResponseEvent": {
    "anyOf": [
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "enum": [
              "response.queued",
              "response.created",
              "response.in_progress",
              "response.completed",
              "response.incomplete",
              "response.failed"
            ],
            "description": "How the response is now."
          },
          "response": {
            "$ref": "#/components/schemas/ResponseObject",
            "description": "The response, as far as it is."
          }
        },
        "required": [
          "response",
          "sequence_number",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "enum": [
              "response.output_item.added",
              "response.output_item.done"
            ],
            "description": "An item begins, or is complete."
          },
          "output_index": {
            "type": "number",
            "description": "Number of the item, from 0."
          },
          "item": {
            "$ref": "#/components/schemas/ResponseOutputItem",
            "description": "The item, as far as it is."
          }
        },
        "required": [
          "item",
          "output_index",
          "sequence_number",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "enum": [
              "response.content_part.added",
              "response.content_part.done"
            ],
            "description": "A part begins, or is complete."
          },
          "part": {
            "$ref": "#/components/schemas/ResponseTextPart",
            "description": "The part, as far as it is."
          },
          "item_id": {
            "type": "string",
            "description": "Id of the item."
          },
          "output_index": {
            "type": "number",
            "description": "Number of the item, from 0."
          },
          "content_index": {
            "type": "number",
            "description": "Number of the part in it, from 0."
          }
        },
        "required": [
          "content_index",
          "item_id",
          "output_index",
          "part",
          "sequence_number",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "const": "response.output_text.delta",
            "description": "A text goes on."
          },
          "delta": {
            "type": "string",
            "description": "The next piece of the text."
          },
          "logprobs": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/ResponseLogprob"
            },
            "description": "Of these tokens, when they were asked for."
          },
          "item_id": {
            "type": "string",
            "description": "Id of the item."
          },
          "output_index": {
            "type": "number",
            "description": "Number of the item, from 0."
          },
          "content_index": {
            "type": "number",
            "description": "Number of the part in it, from 0."
          }
        },
        "required": [
          "content_index",
          "delta",
          "item_id",
          "logprobs",
          "output_index",
          "sequence_number",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "const": "response.function_call_arguments.delta",
            "description": "The arguments of a call go on."
          },
          "item_id": {
            "type": "string",
            "description": "Id of the item."
          },
          "output_index": {
            "type": "number",
            "description": "Number of the item, from 0."
          },
          "delta": {
            "type": "string",
            "description": "The arguments, whole."
          }
        },
        "required": [
          "delta",
          "item_id",
          "output_index",
          "sequence_number",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "const": "response.function_call_arguments.done",
            "description": "A call is complete."
          },
          "item_id": {
            "type": "string",
            "description": "Id of the item."
          },
          "output_index": {
            "type": "number",
            "description": "Number of the item, from 0."
          },
          "name": {
            "type": "string",
            "description": "Name of the function."
          },
          "arguments": {
            "type": "string",
            "description": "The text of a JSON object."
          }
        },
        "required": [
          "arguments",
          "item_id",
          "name",
          "output_index",
          "sequence_number",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "const": "response.output_text.done",
            "description": "A text is complete."
          },
          "text": {
            "type": "string",
            "description": "The whole text."
          },
          "logprobs": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/ResponseLogprob"
            },
            "description": "Of these tokens, when they were asked for."
          },
          "item_id": {
            "type": "string",
            "description": "Id of the item."
          },
          "output_index": {
            "type": "number",
            "description": "Number of the item, from 0."
          },
          "content_index": {
            "type": "number",
            "description": "Number of the part in it, from 0."
          }
        },
        "required": [
          "content_index",
          "item_id",
          "logprobs",
          "output_index",
          "sequence_number",
          "text",
          "type"
        ]
      },
      {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "sequence_number": {
            "type": "number",
            "description": "Number of the event, from 0, in the order they were sent."
          },
          "type": {
            "type": "string",
            "const": "error",
            "description": "The response failed; the last event."
          },
          "code": {
            "type": "string",
            "description": "Stable; see the table of errors."
          },
          "message": {
            "type": "string",
            "description": "For a person: what happened, and what to do."
          },
          "param": {
            "type": [
              "string",
              "null"
            ],
            "description": "The field it is about, or `null`."
          },
          "error": {
            "type": "object",
            "properties": {
              "type": {
                "type": "string",
                "description": "OpenAI's name for this kind of failure."
              },
              "code": {
                "type": "string",
                "description": "Stable; see the table of errors."
              },
              "message": {
                "type": "string",
                "description": "For a person: what happened, and what to do."
              },
              "param": {
                "type": [
                  "string",
                  "null"
                ],
                "description": "The field it is about, or `null`."
              }
            },
            "required": [
              "type",
              "code",
              "message",
              "param"
            ],
            "additionalProperties": false,
            "description": "The same once more, where other clients look for it."
          }
        },
        "required": [
          "code",
          "error",
          "message",
          "param",
          "sequence_number",
          "type"
        ]
      }
    ],
    "description": "Numbered from 0, in the order they were sent."
  },
  "ResponseFunctionCall": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "function_call",
        "description": "Always `function_call`."
      },
      "id": {
        "type": "string",
        "description": "Id of the item, `fc_…`."
      },
      "call_id": {
        "type": "string",
        "description": "Id of the call, for its `function_call_output`."
      },
      "name": {
        "type": "string",
        "description": "Name of the function."
      },
      "arguments": {
        "type": "string",
        "description": "The text of a JSON object; empty until the call is complete."
      },
      "status": {
        "type": "string",
        "enum": [
          "in_progress",
          "completed"
        ],
        "description": "How far it is."
      }
    },
    "required": [
      "type",
      "id",
      "call_id",
      "name",
      "arguments",
      "status"
    ],
    "additionalProperties": false
  },
  "ResponseFunctionTool": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "function",
        "description": "Always `function`."
      },
      "name": {
        "type": "string",
        "description": "Name of the function."
      },
      "description": {
        "type": [
          "string",
          "null"
        ],
        "description": "What it does, or `null`."
      },
      "parameters": {
        "anyOf": [
          {
            "type": "object",
            "additionalProperties": {}
          },
          {
            "type": "null"
          }
        ],
        "description": "JSON schema of its arguments, or `null`."
      },
      "strict": {
        "type": [
          "boolean",
          "null"
        ],
        "description": "Whether arguments are held to the schema, or `null`."
      }
    },
    "required": [
      "type",
      "name",
      "description",
      "parameters",
      "strict"
    ],
    "additionalProperties": false
  },
  "ResponseItemList": {
    "type": "object",
    "properties": {
      "object": {
        "type": "string",
        "const": "list",
        "description": "Always `list`."
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseStoredItem"
        },
        "description": "The items, in the order that was asked for."
      },
      "first_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the first of them, or `null`."
      },
      "last_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the last of them, for `after`, or `null`."
      },
      "has_more": {
        "type": "boolean",
        "description": "Whether there are more."
      }
    },
    "required": [
      "object",
      "data",
      "first_id",
      "last_id",
      "has_more"
    ],
    "additionalProperties": false,
    "description": "What was said to a response, as it is listed."
  },
  "ResponseLogprob": {
    "type": "object",
    "properties": {
      "token": {
        "type": "string",
        "description": "The token as text; half a character is shown as U+FFFD."
      },
      "logprob": {
        "type": "number",
        "description": "Natural logarithm of its probability; at least -9999."
      },
      "bytes": {
        "type": "array",
        "items": {
          "type": "number"
        },
        "description": "The token's own bytes: it may be half a character."
      },
      "top_logprobs": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "token": {
              "type": "string",
              "description": "The token as text; half a character is shown as U+FFFD."
            },
            "logprob": {
              "type": "number",
              "description": "Natural logarithm of its probability; at least -9999."
            },
            "bytes": {
              "type": "array",
              "items": {
                "type": "number"
              },
              "description": "The token's own bytes."
            }
          },
          "required": [
            "token",
            "logprob",
            "bytes"
          ],
          "additionalProperties": false
        },
        "description": "The likeliest tokens in this place, as many as were asked for."
      }
    },
    "required": [
      "token",
      "logprob",
      "bytes",
      "top_logprobs"
    ],
    "additionalProperties": false
  },
  "ResponseObject": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the response, `resp_…`."
      },
      "object": {
        "type": "string",
        "const": "response",
        "description": "Always `response`."
      },
      "created_at": {
        "type": "number",
        "description": "When it was asked for, in seconds since 1970."
      },
      "completed_at": {
        "type": [
          "number",
          "null"
        ],
        "description": "When it was complete, in seconds since 1970, or `null`."
      },
      "status": {
        "$ref": "#/components/schemas/ResponseStatus",
        "description": "How far it is."
      },
      "background": {
        "type": "boolean",
        "description": "Whether it was asked for in the background."
      },
      "error": {
        "anyOf": [
          {
            "type": "object",
            "properties": {
              "code": {
                "type": "string",
                "description": "Stable; see the table of errors."
              },
              "message": {
                "type": "string",
                "description": "For a person: what happened, and what to do."
              }
            },
            "required": [
              "code",
              "message"
            ],
            "additionalProperties": false
          },
          {
            "type": "null"
          }
        ],
        "description": "Why it failed, or `null`."
      },
      "incomplete_details": {
        "anyOf": [
          {
            "type": "object",
            "properties": {
              "reason": {
                "type": "string",
                "const": "max_output_tokens",
                "description": "The answer ended at its bound."
              }
            },
            "required": [
              "reason"
            ],
            "additionalProperties": false
          },
          {
            "type": "null"
          }
        ],
        "description": "Why it is incomplete, or `null`."
      },
      "instructions": {
        "type": [
          "string",
          "null"
        ],
        "description": "As they were asked for, or `null`."
      },
      "max_output_tokens": {
        "type": [
          "number",
          "null"
        ],
        "description": "As it was asked for, or `null`."
      },
      "metadata": {
        "type": "object",
        "additionalProperties": {
          "type": "string"
        },
        "description": "The caller's own notes."
      },
      "model": {
        "type": "string",
        "description": "The model's name, as it was asked for."
      },
      "output": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseOutputItem"
        },
        "description": "What the model said and called, in order."
      },
      "parallel_tool_calls": {
        "type": "boolean",
        "description": "As it was asked for; `true` when it was left out."
      },
      "previous_response_id": {
        "type": [
          "string",
          "null"
        ],
        "description": "Id of the response that it continues, or `null`."
      },
      "reasoning": {
        "type": "object",
        "properties": {
          "effort": {
            "type": "null",
            "description": "Always `null`."
          },
          "summary": {
            "type": "null",
            "description": "Always `null`."
          }
        },
        "required": [
          "effort",
          "summary"
        ],
        "additionalProperties": false,
        "description": "Nothing: no model here thinks before it answers."
      },
      "service_tier": {
        "type": "string",
        "const": "default",
        "description": "Always `default`."
      },
      "store": {
        "type": "boolean",
        "description": "Whether it was to be kept; `true` also when it was left out."
      },
      "temperature": {
        "type": "number",
        "description": "What it was generated with."
      },
      "text": {
        "type": "object",
        "properties": {
          "format": {
            "$ref": "#/components/schemas/ResponseTextFormat",
            "description": "Form of the answer."
          }
        },
        "required": [
          "format"
        ],
        "additionalProperties": false,
        "description": "What the answer must look like."
      },
      "tool_choice": {
        "anyOf": [
          {
            "type": "string",
            "const": "auto"
          },
          {
            "type": "string",
            "const": "none"
          },
          {
            "type": "string",
            "const": "required"
          },
          {
            "type": "object",
            "properties": {
              "type": {
                "type": "string",
                "const": "function",
                "description": "Always `function`."
              },
              "name": {
                "type": "string",
                "description": "Name of the function that must be called."
              }
            },
            "required": [
              "type",
              "name"
            ],
            "additionalProperties": false
          }
        ],
        "description": "As it was asked for; `auto` when it was left out."
      },
      "tools": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseFunctionTool"
        },
        "description": "The functions that were offered."
      },
      "top_logprobs": {
        "type": "number",
        "description": "As it was asked for; 0 when it was left out."
      },
      "top_p": {
        "type": "number",
        "description": "What it was generated with."
      },
      "truncation": {
        "type": "string",
        "enum": [
          "auto",
          "disabled"
        ],
        "description": "As it was asked for; `disabled` when it was left out."
      },
      "usage": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/ResponseUsage"
          },
          {
            "type": "null"
          }
        ],
        "description": "Tokens that were taken; `null` until it has ended."
      },
      "user": {
        "type": [
          "string",
          "null"
        ],
        "description": "As it was asked for, or `null`."
      },
      "atalaya": {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "dropped_turns": {
            "type": "number",
            "description": "Turns that `truncation: \"auto\"` left out."
          },
          "images": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/ImageReceipt"
            },
            "description": "One for each picture of the request, in order."
          },
          "profile": {
            "type": "string",
            "enum": [
              "ref",
              "hf"
            ],
            "description": "Whose semantics the model runs with: Meta's (`ref`) or those of Transformers (`hf`)."
          },
          "prompt_changes": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "result-pictures-moved",
                "tool-calls-split",
                "text-beside-call-dropped",
                "tools-in-text",
                "empty-text-dropped",
                "system-text-moved",
                "turns-merged",
                "pictures-hoisted"
              ]
            },
            "description": "What the rules of the chat changed before the template was rendered."
          },
          "ignored_fields": {
            "type": "array",
            "items": {
              "type": "string"
            },
            "description": "Fields of the request that nothing read."
          }
        },
        "required": [
          "dropped_turns",
          "ignored_fields",
          "images",
          "profile",
          "prompt_changes"
        ],
        "description": "The receipt: what became of each picture and each field."
      }
    },
    "required": [
      "id",
      "object",
      "created_at",
      "completed_at",
      "status",
      "background",
      "error",
      "incomplete_details",
      "instructions",
      "max_output_tokens",
      "metadata",
      "model",
      "output",
      "parallel_tool_calls",
      "previous_response_id",
      "reasoning",
      "service_tier",
      "store",
      "temperature",
      "text",
      "tool_choice",
      "tools",
      "top_logprobs",
      "top_p",
      "truncation",
      "usage",
      "user"
    ],
    "additionalProperties": false
  },
  "ResponseOutputItem": {
    "anyOf": [
      {
        "$ref": "#/components/schemas/ResponseOutputMessage"
      },
      {
        "$ref": "#/components/schemas/ResponseFunctionCall"
      }
    ]
  },
  "ResponseOutputMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "message",
        "description": "Always `message`."
      },
      "id": {
        "type": "string",
        "description": "Id of the item, `msg_…`."
      },
      "status": {
        "type": "string",
        "enum": [
          "in_progress",
          "completed",
          "incomplete"
        ],
        "description": "How far it is."
      },
      "role": {
        "type": "string",
        "const": "assistant",
        "description": "Always `assistant`."
      },
      "content": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseTextPart"
        },
        "description": "Its text, in one part."
      }
    },
    "required": [
      "type",
      "id",
      "status",
      "role",
      "content"
    ],
    "additionalProperties": false
  },
  "ResponseStatus": {
    "type": "string",
    "enum": [
      "queued",
      "in_progress",
      "completed",
      "incomplete",
      "failed",
      "cancelled"
    ]
  },
  "ResponseStoredItem": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the item."
      }
    },
    "required": [
      "id"
    ]
  },
  "ResponseTextFormat": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "text",
            "description": "Free text."
          }
        },
        "required": [
          "type"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "json_object",
            "description": "Any JSON object."
          }
        },
        "required": [
          "type"
        ],
        "additionalProperties": false
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "type": "string",
            "const": "json_schema",
            "description": "What fits `schema`."
          },
          "name": {
            "type": "string",
            "description": "What the schema is called."
          },
          "description": {
            "type": [
              "string",
              "null"
            ],
            "description": "What the schema is for, or `null`."
          },
          "schema": {
            "description": "The JSON schema."
          },
          "strict": {
            "type": [
              "boolean",
              "null"
            ],
            "description": "As it was asked for, or `null`."
          }
        },
        "required": [
          "type",
          "name",
          "description",
          "schema",
          "strict"
        ],
        "additionalProperties": false
      }
    ],
    "description": "As it was asked for."
  },
  "ResponseTextPart": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "output_text",
        "description": "Always `output_text`."
      },
      "text": {
        "type": "string",
        "description": "What the model said."
      },
      "annotations": {
        "type": "array",
        "minItems": 0,
        "maxItems": 0,
        "description": "Always empty: answers cite nothing."
      },
      "logprobs": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseLogprob"
        },
        "description": "Of its tokens, when they were asked for."
      }
    },
    "required": [
      "type",
      "text",
      "annotations",
      "logprobs"
    ],
    "additionalProperties": false
  },
  "ResponseUsage": {
    "type": "object",
    "properties": {
      "input_tokens": {
        "type": "number",
        "description": "Tokens of the prompt, each picture's marker as one."
      },
      "input_tokens_details": {
        "type": "object",
        "properties": {
          "cached_tokens": {
            "type": "number",
            "description": "Tokens that the engine had computed before."
          },
          "image_tokens": {
            "type": "number",
            "description": "Vision tokens that cross-attention reads; they are not part of `input_tokens`."
          }
        },
        "required": [
          "cached_tokens",
          "image_tokens"
        ],
        "additionalProperties": false,
        "description": "What the prompt was made of."
      },
      "output_tokens": {
        "type": "number",
        "description": "Tokens of the answer."
      },
      "output_tokens_details": {
        "type": "object",
        "properties": {
          "reasoning_tokens": {
            "type": "number",
            "const": 0,
            "description": "Always 0: no model here thinks before it answers."
          }
        },
        "required": [
          "reasoning_tokens"
        ],
        "additionalProperties": false,
        "description": "What the answer was made of."
      },
      "total_tokens": {
        "type": "number",
        "description": "Both together."
      }
    },
    "required": [
      "input_tokens",
      "input_tokens_details",
      "output_tokens",
      "output_tokens_details",
      "total_tokens"
    ],
    "additionalProperties": false
  },
  "ResultReply": {
    "type": "object",
    "properties": {
      "result": {
        "type": "boolean",
        "description": "Whether it was done."
      }
    },
    "required": [
      "result"
    ],
    "additionalProperties": false
  },
  "SetupReply": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "username": {
        "type": "string",
        "description": "Name of the account that was made."
      },
      "status": {
        "type": "string",
        "const": "ok",
        "description": "Always `ok`."
      }
    },
    "required": [
      "status",
      "username"
    ]
  },
  "SetupStatusReply": {
    "type": "object",
    "properties": {
      "needs_setup": {
        "type": "boolean",
        "description": "Whether the first account can still be made."
      },
      "initialized": {
        "type": "boolean",
        "description": "Whether there is an account."
      },
      "password_min_length": {
        "type": "number",
        "description": "Characters of a password at least."
      }
    },
    "required": [
      "needs_setup",
      "initialized",
      "password_min_length"
    ],
    "additionalProperties": false
  },
  "StatusReply": {
    "type": "object",
    "properties": {
      "uptime": {
        "type": "number",
        "description": "Seconds since the server started."
      },
      "workers": {
        "type": "object",
        "additionalProperties": {
          "type": "object"
        },
        "description": "Address of the machine → its processor, memory and graphics cards."
      }
    },
    "required": [
      "uptime",
      "workers"
    ],
    "additionalProperties": false
  },
  "SupervisorReply": {
    "type": "object",
    "properties": {
      "supervisor_ip": {
        "type": "string",
        "description": "The server's address."
      }
    },
    "required": [
      "supervisor_ip"
    ],
    "additionalProperties": false
  },
  "ThrottleRuleReply": {
    "type": "object",
    "properties": {
      "ip_max_failures": {
        "type": "number",
        "description": "Wrong keys and passwords that an address may send."
      },
      "ip_window_seconds": {
        "type": "number",
        "description": "In so many seconds."
      },
      "ip_ban_seconds": {
        "type": "number",
        "description": "How long it waits the first time, in seconds; each further one is twice as long."
      },
      "ip_longest_ban_seconds": {
        "type": "number",
        "description": "How long it waits at most, in seconds."
      },
      "key_max_failures": {
        "type": "null",
        "description": "Always `null`: single keys do not wait."
      },
      "key_window_seconds": {
        "type": "null",
        "description": "Always `null`."
      },
      "key_ban_seconds": {
        "type": "null",
        "description": "Always `null`."
      }
    },
    "required": [
      "ip_max_failures",
      "ip_window_seconds",
      "ip_ban_seconds",
      "ip_longest_ban_seconds",
      "key_max_failures",
      "key_window_seconds",
      "key_ban_seconds"
    ],
    "additionalProperties": false,
    "description": "`null`: single keys do not wait, addresses do."
  },
  "UiConfigReply": {
    "type": "object",
    "additionalProperties": {
      "anyOf": [
        {
          "type": "string"
        },
        {
          "type": "boolean"
        },
        {
          "type": "null"
        },
        {
          "type": "object"
        }
      ]
    }
  },
  "Usage": {
    "type": "object",
    "properties": {
      "prompt_tokens": {
        "type": "number",
        "description": "Tokens of the prompt, each picture's marker as one; each prompt counts once."
      },
      "completion_tokens": {
        "type": "number",
        "description": "Tokens that were generated, of all answers, discarded candidates too."
      },
      "total_tokens": {
        "type": "number",
        "description": "Both together."
      },
      "prompt_tokens_details": {
        "type": "object",
        "properties": {
          "cached_tokens": {
            "type": "number",
            "description": "Tokens that the engine had computed before."
          },
          "image_tokens": {
            "type": "number",
            "description": "Vision tokens that cross-attention reads; they are not part of `prompt_tokens`."
          }
        },
        "required": [
          "cached_tokens",
          "image_tokens"
        ],
        "additionalProperties": false,
        "description": "What the prompt was made of."
      }
    },
    "required": [
      "prompt_tokens",
      "completion_tokens",
      "total_tokens",
      "prompt_tokens_details"
    ],
    "additionalProperties": false,
    "description": "What an answer tells about itself: tokens spent, and what became of each picture."
  },
  "UserRecord": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "id": {
        "type": "string",
        "description": "Id of the account."
      },
      "username": {
        "type": "string",
        "description": "Its name."
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it may do."
      },
      "enabled": {
        "type": "boolean",
        "description": "Whether it may log in."
      },
      "must_change_password": {
        "type": "boolean",
        "description": "Whether it must change its password first."
      },
      "created_at": {
        "type": "string",
        "description": "When it was made, ISO 8601."
      },
      "last_login_at": {
        "type": [
          "string",
          "null"
        ],
        "description": "When it last logged in, ISO 8601; `null`: never."
      },
      "requests_per_minute": {
        "type": [
          "number",
          "null"
        ],
        "description": "Requests in a minute at most; `null`: as many as come."
      },
      "tokens_per_day": {
        "type": [
          "number",
          "null"
        ],
        "description": "Tokens in a day at most, of prompts and answers; `null`: as many as come."
      },
      "images_per_day": {
        "type": [
          "number",
          "null"
        ],
        "description": "Pictures in a day at most; `null`: as many as come."
      },
      "max_concurrent": {
        "type": [
          "number",
          "null"
        ],
        "description": "Requests at the same time at most; `null`: as many as come."
      }
    },
    "required": [
      "created_at",
      "enabled",
      "id",
      "images_per_day",
      "last_login_at",
      "max_concurrent",
      "must_change_password",
      "permissions",
      "requests_per_minute",
      "tokens_per_day",
      "username"
    ]
  },
  "UsersReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/UserRecord"
    }
  },
  "VersionRecord": {
    "type": "object",
    "properties": {
      "model_version": {
        "type": "string",
        "description": "Such as `llama-3.2-vision--11B--pytorch--none`."
      },
      "model_file_location": {
        "anyOf": [
          {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            }
          },
          {
            "type": "null"
          }
        ],
        "description": "Address of the machine → where the files are; `null` when they are not."
      },
      "cache_status": {
        "type": "boolean",
        "description": "Whether its files are on this machine, all of them."
      },
      "quantization": {
        "type": "string",
        "description": "What its weights are made of; `none`: as they were published."
      },
      "multimodal_projector": {
        "type": "null",
        "description": "Always `null`: the tower is part of the model."
      },
      "model_format": {
        "type": "string",
        "description": "Format of the files."
      },
      "model_size_in_billions": {
        "type": "number",
        "description": "Weights in billions."
      }
    },
    "required": [
      "model_version",
      "model_file_location",
      "cache_status",
      "quantization",
      "multimodal_projector",
      "model_format",
      "model_size_in_billions"
    ],
    "additionalProperties": false
  },
  "VersionsReply": {
    "type": "array",
    "items": {
      "$ref": "#/components/schemas/VersionRecord"
    }
  },
  "VirtualEnvironmentsReply": {
    "type": "object",
    "properties": {
      "list": {
        "type": "array",
        "minItems": 0,
        "maxItems": 0,
        "description": "Always empty."
      }
    },
    "required": [
      "list"
    ],
    "additionalProperties": false,
    "description": "There are none to list."
  },
  "WhoReply": {
    "type": "object",
    "properties": {
      "kind": {
        "type": "string",
        "enum": [
          "key",
          "account",
          "anonymous"
        ],
        "description": "Whether a key asks, an account, or nobody in particular."
      },
      "name": {
        "type": "string",
        "description": "Name of the key or account."
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "What it may do."
      },
      "must_change_password": {
        "type": "boolean",
        "description": "Whether it may do nothing but change its password, and log out."
      }
    },
    "required": [
      "kind",
      "name",
      "permissions",
      "must_change_password"
    ],
    "additionalProperties": false,
    "description": "Who asks."
  },
  "WireFinishReason": {
    "type": "string",
    "enum": [
      "stop",
      "length"
    ]
  },
  "WorkersReply": {
    "type": "array",
    "items": {
      "type": "object",
      "properties": {
        "work-ip": {
          "type": "string",
          "description": "The machine's address."
        },
        "models": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "description": "Uids of its models."
        }
      },
      "required": [
        "work-ip",
        "models"
      ],
      "additionalProperties": false
    }
  },
  "XinferenceErrorReply": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "detail": {
        "type": "string",
        "description": "The message once more, where Xinference's clients look for it. Not in streams."
      },
      "error": {
        "type": "object",
        "properties": {
          "message": {
            "type": "string",
            "description": "For a person: what happened, with the values, then what to do."
          },
          "type": {
            "type": "string",
            "enum": [
              "invalid_request_error",
              "rate_limit_error",
              "server_error"
            ],
            "description": "OpenAI's name for this kind of failure."
          },
          "param": {
            "type": [
              "string",
              "null"
            ],
            "description": "The field it is about, such as `messages[0].content`, or `null`."
          },
          "code": {
            "type": "string",
            "description": "Stable; see the table of errors."
          }
        },
        "required": [
          "message",
          "type",
          "param",
          "code"
        ],
        "additionalProperties": false,
        "description": "What went wrong."
      }
    },
    "required": [
      "detail",
      "error"
    ],
    "description": "Our error, and the same sentence where Xinference's clients look for it."
  }
};
