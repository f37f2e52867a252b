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
        ]
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
        "description": "Of the last that was added."
      },
      "replica_model_uid": {
        "type": "string"
      },
      "worker_address": {
        "type": "string"
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
        }
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
        "type": "string"
      },
      "type": {
        "type": "string",
        "const": "message"
      },
      "role": {
        "type": "string",
        "const": "assistant"
      },
      "model": {
        "type": "string"
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
        }
      },
      "stop_reason": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/AnthropicStopReason"
          },
          {
            "type": "null"
          }
        ]
      },
      "stop_sequence": {
        "type": [
          "string",
          "null"
        ]
      },
      "usage": {
        "$ref": "#/components/schemas/AnthropicUsage"
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt"
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
        "const": "error"
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
            ]
          },
          "message": {
            "type": "string"
          },
          "code": {
            "type": "string",
            "description": "Ours, and stable."
          }
        },
        "required": [
          "type",
          "message",
          "code"
        ],
        "additionalProperties": false
      },
      "request_id": {
        "type": "string"
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
            "const": "message_start"
          },
          "message": {
            "$ref": "#/components/schemas/AnthropicAnswer"
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
            "const": "content_block_start"
          },
          "index": {
            "type": "number"
          },
          "content_block": {
            "anyOf": [
              {
                "$ref": "#/components/schemas/AnthropicTextBlock"
              },
              {
                "$ref": "#/components/schemas/AnthropicToolUse"
              }
            ]
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
            "const": "content_block_delta"
          },
          "index": {
            "type": "number"
          },
          "delta": {
            "anyOf": [
              {
                "type": "object",
                "properties": {
                  "type": {
                    "type": "string",
                    "const": "text_delta"
                  },
                  "text": {
                    "type": "string"
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
                    "const": "input_json_delta"
                  },
                  "partial_json": {
                    "type": "string"
                  }
                },
                "required": [
                  "type",
                  "partial_json"
                ],
                "additionalProperties": false
              }
            ]
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
            "const": "content_block_stop"
          },
          "index": {
            "type": "number"
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
            "const": "message_delta"
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
                ]
              },
              "stop_sequence": {
                "type": [
                  "string",
                  "null"
                ]
              }
            },
            "required": [
              "stop_reason",
              "stop_sequence"
            ],
            "additionalProperties": false
          },
          "usage": {
            "$ref": "#/components/schemas/AnthropicUsage"
          },
          "atalaya": {
            "$ref": "#/components/schemas/AnswerReceipt"
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
            "const": "message_stop"
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
        "const": "text"
      },
      "text": {
        "type": "string"
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
        "type": "number"
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
        "const": "tool_use"
      },
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "input": {
        "type": "object",
        "additionalProperties": {}
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
        "type": "number"
      },
      "cache_creation_input_tokens": {
        "type": "number",
        "const": 0
      },
      "cache_read_input_tokens": {
        "type": "number",
        "const": 0
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
        }
      },
      "users": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "models": {
        "type": "array",
        "items": {
          "type": "string"
        }
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
        "type": "number"
      },
      "timestamp": {
        "type": "string",
        "description": "ISO 8601."
      },
      "category": {
        "type": "string",
        "enum": [
          "model",
          "key",
          "account",
          "login"
        ]
      },
      "event": {
        "type": "string",
        "description": "Such as `model-loaded`."
      },
      "subject": {
        "type": [
          "string",
          "null"
        ],
        "description": "A model's uid, a key's id, an account's name."
      },
      "user": {
        "type": [
          "string",
          "null"
        ],
        "description": "Whose request it was."
      },
      "details": {
        "type": "object",
        "additionalProperties": {}
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
        }
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
        "type": "boolean"
      },
      "model_uid": {
        "type": "string"
      },
      "priority": {
        "type": "number"
      },
      "max_retries": {
        "type": [
          "number",
          "null"
        ],
        "description": "`null`: a few times, with growing pauses."
      },
      "retry_interval_seconds": {
        "type": [
          "number",
          "null"
        ]
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
            ]
          },
          "last_error": {
            "type": [
              "string",
              "null"
            ]
          }
        },
        "required": [
          "attempts",
          "instance_status",
          "last_error"
        ],
        "additionalProperties": false
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
        }
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
              "type": "boolean"
            },
            "model_uid": {
              "type": "string"
            }
          },
          "required": [
            "enabled",
            "model_uid"
          ],
          "additionalProperties": false
        }
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
              "description": "Of IPv6 the network."
            },
            "remaining_seconds": {
              "type": "number"
            }
          },
          "required": [
            "ip",
            "remaining_seconds"
          ],
          "additionalProperties": false
        }
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
        "maxItems": 0
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
        "const": "list"
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/BatchObject"
        }
      },
      "first_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "last_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "has_more": {
        "type": "boolean"
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "batch"
      },
      "endpoint": {
        "type": "string",
        "enum": [
          "/v1/chat/completions",
          "/v1/completions",
          "/v1/responses",
          "/v1/moderations"
        ]
      },
      "errors": {
        "anyOf": [
          {
            "type": "object",
            "properties": {
              "object": {
                "type": "string",
                "const": "list"
              },
              "data": {
                "type": "array",
                "items": {
                  "type": "object",
                  "properties": {
                    "code": {
                      "type": "string"
                    },
                    "message": {
                      "type": "string"
                    },
                    "param": {
                      "type": "null"
                    },
                    "line": {
                      "type": [
                        "number",
                        "null"
                      ],
                      "description": "From 1."
                    }
                  },
                  "required": [
                    "code",
                    "message",
                    "param",
                    "line"
                  ],
                  "additionalProperties": false
                }
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
        ]
      },
      "input_file_id": {
        "type": "string"
      },
      "completion_window": {
        "type": "string",
        "const": "24h"
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
        ]
      },
      "output_file_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "error_file_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "created_at": {
        "type": "number",
        "description": "Seconds since 1970, as all that follow."
      },
      "expires_at": {
        "type": "number"
      },
      "in_progress_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "finalizing_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "completed_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "failed_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "expired_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "cancelling_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "cancelled_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "request_counts": {
        "type": "object",
        "properties": {
          "total": {
            "type": "number"
          },
          "completed": {
            "type": "number"
          },
          "failed": {
            "type": "number"
          }
        },
        "required": [
          "total",
          "completed",
          "failed"
        ],
        "additionalProperties": false
      },
      "metadata": {
        "type": "object",
        "additionalProperties": {
          "type": "string"
        }
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
        "type": "string"
      },
      "worker_ip": {
        "type": "string"
      },
      "paths": {
        "type": "array",
        "items": {
          "type": "string"
        }
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
        "type": "string"
      },
      "model_size_in_billions": {
        "type": [
          "number",
          "null"
        ]
      },
      "model_format": {
        "type": "string"
      },
      "quantization": {
        "type": "string"
      },
      "model_version": {
        "type": "string"
      },
      "path": {
        "type": "string"
      },
      "real_path": {
        "type": "string"
      },
      "actor_ip_address": {
        "type": "string"
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
        }
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "chat.completion"
      },
      "created": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "model": {
        "type": "string"
      },
      "choices": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "index": {
              "type": "number"
            },
            "message": {
              "type": "object",
              "properties": {
                "role": {
                  "type": "string",
                  "const": "assistant"
                },
                "content": {
                  "type": [
                    "string",
                    "null"
                  ],
                  "description": "`null` beside calls."
                },
                "refusal": {
                  "type": "null"
                },
                "tool_calls": {
                  "type": "array",
                  "items": {
                    "$ref": "#/components/schemas/ChatToolCallReply"
                  }
                },
                "function_call": {
                  "$ref": "#/components/schemas/ChatFunctionCall"
                }
              },
              "required": [
                "role",
                "content",
                "refusal"
              ],
              "additionalProperties": false
            },
            "logprobs": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/ChatLogprobs"
                },
                {
                  "type": "null"
                }
              ]
            },
            "finish_reason": {
              "$ref": "#/components/schemas/ChatFinishReason"
            },
            "options": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/OptionScore"
              },
              "description": "With `choices` in the request."
            }
          },
          "required": [
            "index",
            "message",
            "logprobs",
            "finish_reason"
          ],
          "additionalProperties": false
        }
      },
      "usage": {
        "$ref": "#/components/schemas/Usage"
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt"
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "chat.completion.chunk"
      },
      "created": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "model": {
        "type": "string"
      },
      "choices": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "index": {
              "type": "number"
            },
            "delta": {
              "type": "object",
              "properties": {
                "role": {
                  "type": "string",
                  "const": "assistant"
                },
                "content": {
                  "type": "string"
                },
                "tool_calls": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                      "index": {
                        "type": "number"
                      },
                      "id": {
                        "type": "string"
                      },
                      "type": {
                        "type": "string",
                        "const": "function"
                      },
                      "function": {
                        "$ref": "#/components/schemas/ChatFunctionCall"
                      }
                    },
                    "required": [
                      "function",
                      "id",
                      "index",
                      "type"
                    ]
                  },
                  "description": "All of them, each whole, in the chunk with the finish reason."
                },
                "function_call": {
                  "$ref": "#/components/schemas/ChatFunctionCall"
                }
              },
              "required": [
                "content"
              ],
              "additionalProperties": false,
              "description": "`content` is always there: some clients read it without looking."
            },
            "logprobs": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/ChatLogprobs"
                },
                {
                  "type": "null"
                }
              ]
            },
            "finish_reason": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/ChatFinishReason"
                },
                {
                  "type": "null"
                }
              ]
            },
            "options": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/OptionScore"
              }
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
        "description": "Empty only in the usage chunk, which comes only when it was asked for."
      },
      "usage": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/Usage"
          },
          {
            "type": "null"
          }
        ]
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt",
        "description": "In the finishing chunk."
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
        "type": "string"
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
        "type": "string"
      },
      "logprob": {
        "type": "number"
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
              }
            },
            "token": {
              "type": "string"
            },
            "logprob": {
              "type": "number"
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
      "refusal": {
        "type": "null"
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
        "type": "string"
      },
      "type": {
        "type": "string",
        "const": "function"
      },
      "function": {
        "$ref": "#/components/schemas/ChatFunctionCall"
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
        "type": "boolean"
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
        ]
      },
      "ip_address": {
        "type": "string"
      },
      "gpu_count": {
        "type": "number"
      },
      "gpu_vram_total": {
        "type": [
          "number",
          "string"
        ]
      },
      "gpu_vram_available": {
        "type": "number"
      },
      "gpu_utilization": {
        "type": [
          "number",
          "null"
        ]
      },
      "cpu_available": {
        "type": "number"
      },
      "cpu_count": {
        "type": "number"
      },
      "mem_used": {
        "type": "number"
      },
      "mem_available": {
        "type": "number"
      },
      "mem_total": {
        "type": "number"
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
        "type": "string"
      },
      "full-revisionid": {
        "type": "null"
      },
      "dirty": {
        "type": "boolean",
        "const": false
      },
      "error": {
        "type": "null"
      },
      "atalaya": {
        "type": "string"
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "text_completion"
      },
      "created": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "model": {
        "type": "string"
      },
      "choices": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "index": {
              "type": "number",
              "description": "With several prompts: the answers of the first one, then those of the second, and so on."
            },
            "text": {
              "type": "string"
            },
            "logprobs": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/CompletionLogprobs"
                },
                {
                  "type": "null"
                }
              ]
            },
            "finish_reason": {
              "anyOf": [
                {
                  "$ref": "#/components/schemas/WireFinishReason"
                },
                {
                  "type": "null"
                }
              ]
            },
            "options": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/OptionScore"
              },
              "description": "With `choices` in the request."
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
        "description": "Empty only in the usage chunk of a stream."
      },
      "usage": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/Usage"
          },
          {
            "type": "null"
          }
        ]
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt"
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
        }
      },
      "token_logprobs": {
        "type": "array",
        "items": {
          "type": [
            "number",
            "null"
          ]
        },
        "description": "`null` for a token that nothing precedes, and for a picture's."
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
        }
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
        "const": 2
      },
      "model_description": {
        "type": "string"
      },
      "context_length": {
        "type": "number"
      },
      "model_lang": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "model_ability": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "model_family": {
        "type": "string"
      },
      "architectures": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "model_type": {
        "type": "string",
        "const": "mllama"
      },
      "download_hubs": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "model_specs": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/RegistrationSpec"
        }
      },
      "model_name": {
        "type": "string"
      },
      "is_builtin": {
        "type": "boolean"
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
        "const": "ok"
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
        "type": "string"
      },
      "downloaded_bytes": {
        "type": "number"
      },
      "total_bytes": {
        "type": "number"
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
        "type": "number"
      },
      "eta_seconds": {
        "type": [
          "number",
          "null"
        ],
        "description": "`null` while it cannot be told."
      },
      "status": {
        "type": "string",
        "enum": [
          "waiting",
          "downloading",
          "verifying",
          "completed"
        ]
      },
      "replica_id": {
        "type": "number",
        "description": "The replica whose download it is; all replicas read what the first one fetches."
      },
      "replica_model_uid": {
        "type": "string"
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
            "const": "plan"
          },
          "hub": {
            "type": "string",
            "enum": [
              "huggingface",
              "modelscope"
            ]
          },
          "host": {
            "type": "string"
          },
          "repo": {
            "type": "string"
          },
          "commit": {
            "type": "string"
          },
          "licence": {
            "anyOf": [
              {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "link": {
                    "type": "string"
                  },
                  "note": {
                    "type": [
                      "string",
                      "null"
                    ]
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
            ]
          },
          "files": {
            "type": "array",
            "items": {
              "type": "object",
              "properties": {
                "path": {
                  "type": "string"
                },
                "size_bytes": {
                  "type": "number"
                },
                "here_bytes": {
                  "type": "number",
                  "description": "There already, whole or as the start of a download."
                }
              },
              "required": [
                "path",
                "size_bytes",
                "here_bytes"
              ],
              "additionalProperties": false
            }
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
            "const": "hub-skipped"
          },
          "reason": {
            "type": "string"
          },
          "next": {
            "type": "string"
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
            "const": "file-progress"
          },
          "path": {
            "type": "string"
          },
          "done_bytes": {
            "type": "number"
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
            "const": "file-verifying"
          },
          "path": {
            "type": "string"
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
            "const": "file-ready"
          },
          "path": {
            "type": "string"
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
            "const": "file-waiting"
          },
          "path": {
            "type": "string"
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
            "const": "retry"
          },
          "path": {
            "type": [
              "string",
              "null"
            ]
          },
          "reason": {
            "type": "string"
          },
          "wait_ms": {
            "type": "number"
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
        "type": "string"
      },
      "model_format": {
        "type": "string"
      },
      "model_size_in_billions": {
        "type": "number"
      },
      "quantizations": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "support_draft_model": {
        "type": "boolean",
        "const": false
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
            ]
          },
          "param": {
            "type": [
              "string",
              "null"
            ],
            "description": "The field it is about, such as `messages[0].content`."
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
        "additionalProperties": false
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "file"
      },
      "deleted": {
        "type": "boolean",
        "const": true
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
        "const": "list"
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/FileObject"
        }
      },
      "first_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "last_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "has_more": {
        "type": "boolean"
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "file"
      },
      "bytes": {
        "type": "number"
      },
      "created_at": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "expires_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "filename": {
        "type": "string"
      },
      "purpose": {
        "type": "string"
      },
      "status": {
        "type": "string",
        "const": "processed"
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
        "const": "ok"
      },
      "version": {
        "type": "string"
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
            "description": "The text of the last turn, and so the answer, looks at it; a later group hides an earlier."
          },
          "width": {
            "type": "number"
          },
          "height": {
            "type": "number"
          },
          "grid": {
            "type": "object",
            "properties": {
              "rows": {
                "type": "number"
              },
              "columns": {
                "type": "number"
              }
            },
            "required": [
              "rows",
              "columns"
            ],
            "additionalProperties": false
          },
          "resized": {
            "type": "object",
            "properties": {
              "width": {
                "type": "number"
              },
              "height": {
                "type": "number"
              }
            },
            "required": [
              "width",
              "height"
            ],
            "additionalProperties": false
          },
          "aspect_ratio_id": {
            "type": "number"
          },
          "cached": {
            "type": "boolean",
            "description": "Its encoding was still there from an earlier request."
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
            "description": "Until its states were there, milliseconds; 0 when they were in memory."
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
            "const": false
          },
          "seen_by_last_turn": {
            "type": "boolean"
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
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "description": {
        "type": "string"
      },
      "prefix": {
        "type": "string",
        "description": "Its first letters."
      },
      "owner": {
        "type": [
          "string",
          "null"
        ]
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        }
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
        ]
      },
      "enabled": {
        "type": "boolean"
      },
      "created_at": {
        "type": "string"
      },
      "expires_at": {
        "type": [
          "string",
          "null"
        ]
      },
      "last_used_at": {
        "type": [
          "string",
          "null"
        ]
      },
      "used_today": {
        "type": "object",
        "properties": {
          "requests": {
            "type": "number"
          },
          "tokens": {
            "type": "number"
          },
          "images": {
            "type": "number"
          }
        },
        "required": [
          "requests",
          "tokens",
          "images"
        ],
        "additionalProperties": false
      },
      "requests_per_minute": {
        "type": [
          "number",
          "null"
        ]
      },
      "tokens_per_day": {
        "type": [
          "number",
          "null"
        ]
      },
      "images_per_day": {
        "type": [
          "number",
          "null"
        ]
      },
      "max_concurrent": {
        "type": [
          "number",
          "null"
        ]
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
            "const": "stage"
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
            "description": "What the fraction is of, where it is bytes."
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
            "const": "ready"
          },
          "model": {
            "$ref": "#/components/schemas/ModelRecord"
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
            "const": "failed"
          },
          "error": {
            "type": "object",
            "properties": {
              "code": {
                "type": "string"
              },
              "message": {
                "type": "string"
              }
            },
            "required": [
              "code",
              "message"
            ],
            "additionalProperties": false
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
            "const": "terminated"
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
        "type": "string"
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
        "type": "string"
      },
      "token_type": {
        "type": "string",
        "const": "bearer"
      },
      "refresh_token": {
        "type": "string",
        "description": "Not for accounts of an `--auth-config` file."
      },
      "expires_in": {
        "type": "number",
        "description": "Seconds."
      },
      "must_change_password": {
        "type": "boolean"
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
        ]
      },
      "event_ts": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "event_content": {
        "type": "string"
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
        "type": "string"
      },
      "model_uid": {
        "type": "string"
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
        "description": "Empty until the model is ready."
      },
      "replica": {
        "type": "number"
      },
      "n_worker": {
        "type": "number",
        "const": 1
      },
      "status": {
        "$ref": "#/components/schemas/ModelStatus"
      },
      "instance_created_ts": {
        "type": "number"
      },
      "error_message": {
        "type": "string",
        "description": "When its status is ERROR."
      },
      "replica_statuses": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ReplicaStatusRecord"
        }
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
        "const": "list"
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ModelRecord"
        }
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "model"
      },
      "created": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "owned_by": {
        "type": "string",
        "const": "atalaya"
      },
      "model_type": {
        "type": "string",
        "const": "LLM"
      },
      "model_name": {
        "type": "string"
      },
      "model_engine": {
        "type": "string"
      },
      "model_format": {
        "type": "string"
      },
      "quantization": {
        "type": "string"
      },
      "model_size_in_billions": {
        "type": [
          "number",
          "null"
        ]
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
        }
      },
      "model_lang": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "ISO 639-1."
      },
      "model_description": {
        "type": "string"
      },
      "model_family": {
        "type": "string"
      },
      "model_hub": {
        "type": [
          "string",
          "null"
        ]
      },
      "revision": {
        "type": [
          "string",
          "null"
        ]
      },
      "address": {
        "type": "string",
        "description": "Of the server: replicas have none of their own."
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
        "type": "null"
      },
      "strict_system_first": {
        "type": "boolean",
        "const": false,
        "description": "Further system messages may come anywhere in a conversation."
      },
      "context_length": {
        "type": [
          "number",
          "null"
        ],
        "description": "Tokens of prompt and answer together; `null` until the model is ready."
      },
      "replica": {
        "type": "number"
      },
      "profile": {
        "type": "string",
        "enum": [
          "ref",
          "hf"
        ]
      },
      "state": {
        "$ref": "#/components/schemas/ModelState"
      },
      "progress": {
        "type": "object",
        "properties": {
          "stage": {
            "type": "string"
          },
          "fraction": {
            "type": [
              "number",
              "null"
            ]
          }
        },
        "required": [
          "stage",
          "fraction"
        ],
        "additionalProperties": false,
        "description": "While starting."
      },
      "error": {
        "type": "object",
        "properties": {
          "code": {
            "type": "string"
          },
          "message": {
            "type": "string"
          }
        },
        "required": [
          "code",
          "message"
        ],
        "additionalProperties": false,
        "description": "When failed, or ready but unable to answer."
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
        "type": "string"
      },
      "model": {
        "type": "string"
      },
      "results": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ModerationResult"
        }
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
        "type": "boolean"
      },
      "categories": {
        "type": "object",
        "properties": {
          "harassment": {
            "type": "boolean"
          },
          "harassment/threatening": {
            "type": "boolean"
          },
          "hate": {
            "type": "boolean"
          },
          "hate/threatening": {
            "type": "boolean"
          },
          "illicit": {
            "type": "boolean"
          },
          "illicit/violent": {
            "type": "boolean"
          },
          "self-harm": {
            "type": "boolean"
          },
          "self-harm/intent": {
            "type": "boolean"
          },
          "self-harm/instructions": {
            "type": "boolean"
          },
          "sexual": {
            "type": "boolean"
          },
          "sexual/minors": {
            "type": "boolean"
          },
          "violence": {
            "type": "boolean"
          },
          "violence/graphic": {
            "type": "boolean"
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
        "additionalProperties": false
      },
      "category_scores": {
        "type": "object",
        "properties": {
          "harassment": {
            "type": "number"
          },
          "harassment/threatening": {
            "type": "number"
          },
          "hate": {
            "type": "number"
          },
          "hate/threatening": {
            "type": "number"
          },
          "illicit": {
            "type": "number"
          },
          "illicit/violent": {
            "type": "number"
          },
          "self-harm": {
            "type": "number"
          },
          "self-harm/intent": {
            "type": "number"
          },
          "self-harm/instructions": {
            "type": "number"
          },
          "sexual": {
            "type": "number"
          },
          "sexual/minors": {
            "type": "number"
          },
          "violence": {
            "type": "number"
          },
          "violence/graphic": {
            "type": "number"
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
        "additionalProperties": false
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
            }
          },
          "harassment/threatening": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "hate": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "hate/threatening": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "illicit": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "illicit/violent": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "self-harm": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "self-harm/intent": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "self-harm/instructions": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "sexual": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "sexual/minors": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "violence": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
          },
          "violence/graphic": {
            "type": "array",
            "items": {
              "type": "string",
              "enum": [
                "text",
                "image"
              ]
            }
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
        "additionalProperties": false
      },
      "llama_guard": {
        "type": "object",
        "properties": {
          "verdict": {
            "type": "string",
            "enum": [
              "safe",
              "unsafe"
            ]
          },
          "unsafe_probability": {
            "type": "number",
            "description": "Of `unsafe` against `safe`, for the first word of the answer."
          },
          "hazards": {
            "type": "object",
            "properties": {
              "S1": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S2": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S3": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S4": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S5": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S6": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S7": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S8": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S9": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S10": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S11": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S12": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S13": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
              },
              "S14": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string"
                  },
                  "flagged": {
                    "type": "boolean"
                  },
                  "score": {
                    "type": "number"
                  }
                },
                "required": [
                  "name",
                  "flagged",
                  "score"
                ],
                "additionalProperties": false
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
            "additionalProperties": false
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
        "type": "string"
      },
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "description": {
        "type": "string"
      },
      "prefix": {
        "type": "string",
        "description": "Its first letters."
      },
      "owner": {
        "type": [
          "string",
          "null"
        ]
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        }
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
        ]
      },
      "enabled": {
        "type": "boolean"
      },
      "created_at": {
        "type": "string"
      },
      "expires_at": {
        "type": [
          "string",
          "null"
        ]
      },
      "last_used_at": {
        "type": [
          "string",
          "null"
        ]
      },
      "used_today": {
        "type": "object",
        "properties": {
          "requests": {
            "type": "number"
          },
          "tokens": {
            "type": "number"
          },
          "images": {
            "type": "number"
          }
        },
        "required": [
          "requests",
          "tokens",
          "images"
        ],
        "additionalProperties": false
      },
      "requests_per_minute": {
        "type": [
          "number",
          "null"
        ]
      },
      "tokens_per_day": {
        "type": [
          "number",
          "null"
        ]
      },
      "images_per_day": {
        "type": [
          "number",
          "null"
        ]
      },
      "max_concurrent": {
        "type": [
          "number",
          "null"
        ]
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
            "const": "assistant"
          },
          "content": {
            "type": "string"
          },
          "tool_calls": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/OllamaToolCallReply"
            },
            "description": "In a line of their own in front of the last one."
          }
        },
        "required": [
          "role",
          "content"
        ],
        "additionalProperties": false
      },
      "model": {
        "type": "string"
      },
      "created_at": {
        "type": "string"
      },
      "logprobs": {
        "$ref": "#/components/schemas/OllamaLogprobs"
      },
      "done": {
        "type": "boolean"
      },
      "done_reason": {
        "type": "string"
      },
      "total_duration": {
        "type": "number",
        "description": "Nanoseconds, as the other durations."
      },
      "load_duration": {
        "type": "number"
      },
      "prompt_eval_count": {
        "type": "number"
      },
      "prompt_eval_duration": {
        "type": "number"
      },
      "eval_count": {
        "type": "number"
      },
      "eval_duration": {
        "type": "number"
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt"
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
        "const": ""
      },
      "format": {
        "type": "string",
        "const": "safetensors"
      },
      "family": {
        "type": "string",
        "const": "mllama"
      },
      "families": {
        "type": "array",
        "items": {
          "type": "string",
          "const": "mllama"
        },
        "minItems": 1,
        "maxItems": 1
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
        "type": "string"
      },
      "code": {
        "type": "string"
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
        "type": "string"
      },
      "model": {
        "type": "string"
      },
      "created_at": {
        "type": "string"
      },
      "logprobs": {
        "$ref": "#/components/schemas/OllamaLogprobs"
      },
      "done": {
        "type": "boolean"
      },
      "done_reason": {
        "type": "string"
      },
      "total_duration": {
        "type": "number",
        "description": "Nanoseconds, as the other durations."
      },
      "load_duration": {
        "type": "number"
      },
      "prompt_eval_count": {
        "type": "number"
      },
      "prompt_eval_duration": {
        "type": "number"
      },
      "eval_count": {
        "type": "number"
      },
      "eval_duration": {
        "type": "number"
      },
      "atalaya": {
        "$ref": "#/components/schemas/AnswerReceipt"
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
                "type": "string"
              },
              "logprob": {
                "type": "number"
              },
              "bytes": {
                "type": "array",
                "items": {
                  "type": "number"
                }
              }
            },
            "required": [
              "token",
              "logprob",
              "bytes"
            ],
            "additionalProperties": false
          }
        },
        "token": {
          "type": "string"
        },
        "logprob": {
          "type": "number"
        },
        "bytes": {
          "type": "array",
          "items": {
            "type": "number"
          }
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
        "type": "string"
      },
      "model": {
        "type": "string"
      },
      "modified_at": {
        "type": "string"
      },
      "size": {
        "type": "number",
        "description": "Bytes of its files."
      },
      "digest": {
        "type": "string"
      },
      "details": {
        "$ref": "#/components/schemas/OllamaDetails"
      },
      "expires_at": {
        "type": "string"
      },
      "size_vram": {
        "type": "number"
      },
      "context_length": {
        "type": "number"
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
        }
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
        "const": ""
      },
      "parameters": {
        "type": "string"
      },
      "template": {
        "type": "string",
        "const": ""
      },
      "details": {
        "$ref": "#/components/schemas/OllamaDetails"
      },
      "model_info": {
        "type": "object",
        "additionalProperties": {
          "type": [
            "string",
            "number",
            "null"
          ]
        }
      },
      "capabilities": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "modified_at": {
        "type": "string"
      },
      "atalaya": {
        "type": "object",
        "properties": {
          "uid": {
            "type": [
              "string",
              "null"
            ]
          },
          "has_chat_template": {
            "type": [
              "boolean",
              "null"
            ]
          }
        },
        "required": [
          "uid",
          "has_chat_template"
        ],
        "additionalProperties": false
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
        "type": "string"
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
        "type": "string"
      },
      "function": {
        "type": "object",
        "properties": {
          "index": {
            "type": "number"
          },
          "name": {
            "type": "string"
          },
          "arguments": {
            "type": "object",
            "additionalProperties": {}
          }
        },
        "required": [
          "index",
          "name",
          "arguments"
        ],
        "additionalProperties": false
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
        "type": "string"
      },
      "atalaya": {
        "type": "string"
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
        "type": "string"
      },
      "logprob": {
        "type": "number",
        "description": "Of this answer, as the model would give it."
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
        "type": "string"
      },
      "token_type": {
        "type": "string",
        "const": "bearer"
      },
      "refresh_token": {
        "type": "string",
        "description": "Not for accounts of an `--auth-config` file."
      },
      "expires_in": {
        "type": "number",
        "description": "Seconds."
      },
      "must_change_password": {
        "type": "boolean"
      },
      "status": {
        "type": "string",
        "const": "ok"
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
        "type": "string"
      },
      "model_uid": {
        "type": [
          "string",
          "null"
        ]
      },
      "data": {},
      "updated_at": {
        "type": "string",
        "description": "ISO 8601."
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
        "type": "boolean"
      },
      "has_tower": {
        "type": "boolean"
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
        ]
      },
      "download_files": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/DownloadFileRecord"
        }
      },
      "replicas": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "replica_id": {
              "type": "number"
            },
            "replica_model_uid": {
              "type": "string"
            },
            "progress": {
              "type": "number"
            },
            "stage": {
              "type": "string"
            },
            "info": {
              "type": "string"
            },
            "updated_at": {
              "type": "number"
            },
            "download_files": {
              "type": "array",
              "items": {
                "$ref": "#/components/schemas/DownloadFileRecord"
              }
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
        }
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
        "type": "string"
      },
      "is_builtin": {
        "type": "boolean"
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
        "type": "string"
      },
      "model_size_in_billions": {
        "type": "number"
      },
      "quantization": {
        "type": "string"
      },
      "model_hub": {
        "type": [
          "string",
          "null"
        ]
      },
      "model_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "model_revision": {
        "type": [
          "string",
          "null"
        ]
      },
      "model_uri": {
        "type": [
          "string",
          "null"
        ]
      },
      "multimodal_projectors": {
        "type": "null"
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
        "type": "number"
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
        "type": "number"
      },
      "replica_model_uid": {
        "type": "string"
      },
      "replica_uid": {
        "type": [
          "string",
          "null"
        ],
        "description": "What its owner calls it."
      },
      "worker_address": {
        "type": "string"
      },
      "model_address": {
        "type": "string"
      },
      "accelerators": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "gpu_idx": {
        "type": "array",
        "items": {
          "type": "number"
        }
      },
      "status": {
        "$ref": "#/components/schemas/ModelStatus"
      },
      "created_ts": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "error_message": {
        "type": [
          "string",
          "null"
        ]
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
        "type": "number"
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "response"
      },
      "deleted": {
        "type": "boolean",
        "const": true
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
            "type": "number"
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
            ]
          },
          "response": {
            "$ref": "#/components/schemas/ResponseObject"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "enum": [
              "response.output_item.added",
              "response.output_item.done"
            ]
          },
          "output_index": {
            "type": "number"
          },
          "item": {
            "$ref": "#/components/schemas/ResponseOutputItem"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "enum": [
              "response.content_part.added",
              "response.content_part.done"
            ]
          },
          "part": {
            "$ref": "#/components/schemas/ResponseTextPart"
          },
          "item_id": {
            "type": "string"
          },
          "output_index": {
            "type": "number"
          },
          "content_index": {
            "type": "number"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "const": "response.output_text.delta"
          },
          "delta": {
            "type": "string"
          },
          "logprobs": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/ResponseLogprob"
            }
          },
          "item_id": {
            "type": "string"
          },
          "output_index": {
            "type": "number"
          },
          "content_index": {
            "type": "number"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "const": "response.function_call_arguments.delta"
          },
          "item_id": {
            "type": "string"
          },
          "output_index": {
            "type": "number"
          },
          "delta": {
            "type": "string"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "const": "response.function_call_arguments.done"
          },
          "item_id": {
            "type": "string"
          },
          "output_index": {
            "type": "number"
          },
          "name": {
            "type": "string"
          },
          "arguments": {
            "type": "string"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "const": "response.output_text.done"
          },
          "text": {
            "type": "string"
          },
          "logprobs": {
            "type": "array",
            "items": {
              "$ref": "#/components/schemas/ResponseLogprob"
            }
          },
          "item_id": {
            "type": "string"
          },
          "output_index": {
            "type": "number"
          },
          "content_index": {
            "type": "number"
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
            "type": "number"
          },
          "type": {
            "type": "string",
            "const": "error"
          },
          "code": {
            "type": "string"
          },
          "message": {
            "type": "string"
          },
          "param": {
            "type": [
              "string",
              "null"
            ]
          },
          "error": {
            "type": "object",
            "properties": {
              "type": {
                "type": "string"
              },
              "code": {
                "type": "string"
              },
              "message": {
                "type": "string"
              },
              "param": {
                "type": [
                  "string",
                  "null"
                ]
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
        "const": "function_call"
      },
      "id": {
        "type": "string"
      },
      "call_id": {
        "type": "string",
        "description": "What its `function_call_output` refers to."
      },
      "name": {
        "type": "string"
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
        ]
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
        "const": "function"
      },
      "name": {
        "type": "string"
      },
      "description": {
        "type": [
          "string",
          "null"
        ]
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
        ]
      },
      "strict": {
        "type": [
          "boolean",
          "null"
        ]
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
        "const": "list"
      },
      "data": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseStoredItem"
        }
      },
      "first_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "last_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "has_more": {
        "type": "boolean"
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
        "type": "string"
      },
      "logprob": {
        "type": "number"
      },
      "bytes": {
        "type": "array",
        "items": {
          "type": "number"
        }
      },
      "top_logprobs": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "token": {
              "type": "string"
            },
            "logprob": {
              "type": "number"
            },
            "bytes": {
              "type": "array",
              "items": {
                "type": "number"
              }
            }
          },
          "required": [
            "token",
            "logprob",
            "bytes"
          ],
          "additionalProperties": false
        }
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
        "type": "string"
      },
      "object": {
        "type": "string",
        "const": "response"
      },
      "created_at": {
        "type": "number",
        "description": "Seconds since 1970."
      },
      "completed_at": {
        "type": [
          "number",
          "null"
        ]
      },
      "status": {
        "$ref": "#/components/schemas/ResponseStatus"
      },
      "background": {
        "type": "boolean"
      },
      "error": {
        "anyOf": [
          {
            "type": "object",
            "properties": {
              "code": {
                "type": "string"
              },
              "message": {
                "type": "string"
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
        ]
      },
      "incomplete_details": {
        "anyOf": [
          {
            "type": "object",
            "properties": {
              "reason": {
                "type": "string",
                "const": "max_output_tokens"
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
        ]
      },
      "instructions": {
        "type": [
          "string",
          "null"
        ]
      },
      "max_output_tokens": {
        "type": [
          "number",
          "null"
        ]
      },
      "metadata": {
        "type": "object",
        "additionalProperties": {
          "type": "string"
        }
      },
      "model": {
        "type": "string"
      },
      "output": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseOutputItem"
        }
      },
      "parallel_tool_calls": {
        "type": "boolean"
      },
      "previous_response_id": {
        "type": [
          "string",
          "null"
        ]
      },
      "reasoning": {
        "type": "object",
        "properties": {
          "effort": {
            "type": "null"
          },
          "summary": {
            "type": "null"
          }
        },
        "required": [
          "effort",
          "summary"
        ],
        "additionalProperties": false
      },
      "service_tier": {
        "type": "string",
        "const": "default"
      },
      "store": {
        "type": "boolean"
      },
      "temperature": {
        "type": "number"
      },
      "text": {
        "type": "object",
        "properties": {
          "format": {
            "$ref": "#/components/schemas/ResponseTextFormat"
          }
        },
        "required": [
          "format"
        ],
        "additionalProperties": false
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
                "const": "function"
              },
              "name": {
                "type": "string"
              }
            },
            "required": [
              "type",
              "name"
            ],
            "additionalProperties": false
          }
        ]
      },
      "tools": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseFunctionTool"
        }
      },
      "top_logprobs": {
        "type": "number"
      },
      "top_p": {
        "type": "number"
      },
      "truncation": {
        "type": "string",
        "enum": [
          "auto",
          "disabled"
        ]
      },
      "usage": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/ResponseUsage"
          },
          {
            "type": "null"
          }
        ]
      },
      "user": {
        "type": [
          "string",
          "null"
        ]
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
            }
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
        ]
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
        "const": "message"
      },
      "id": {
        "type": "string"
      },
      "status": {
        "type": "string",
        "enum": [
          "in_progress",
          "completed",
          "incomplete"
        ]
      },
      "role": {
        "type": "string",
        "const": "assistant"
      },
      "content": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseTextPart"
        }
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
        "type": "string"
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
            "const": "text"
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
            "const": "json_object"
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
            "const": "json_schema"
          },
          "name": {
            "type": "string"
          },
          "description": {
            "type": [
              "string",
              "null"
            ]
          },
          "schema": {},
          "strict": {
            "type": [
              "boolean",
              "null"
            ]
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
        "const": "output_text"
      },
      "text": {
        "type": "string"
      },
      "annotations": {
        "type": "array",
        "minItems": 0,
        "maxItems": 0
      },
      "logprobs": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ResponseLogprob"
        }
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
        "type": "number"
      },
      "input_tokens_details": {
        "type": "object",
        "properties": {
          "cached_tokens": {
            "type": "number"
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
        "additionalProperties": false
      },
      "output_tokens": {
        "type": "number"
      },
      "output_tokens_details": {
        "type": "object",
        "properties": {
          "reasoning_tokens": {
            "type": "number",
            "const": 0
          }
        },
        "required": [
          "reasoning_tokens"
        ],
        "additionalProperties": false
      },
      "total_tokens": {
        "type": "number"
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
        "type": "boolean"
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
        "type": "string"
      },
      "status": {
        "type": "string",
        "const": "ok"
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
        "type": "boolean"
      },
      "initialized": {
        "type": "boolean"
      },
      "password_min_length": {
        "type": "number"
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
        "description": "Seconds."
      },
      "workers": {
        "type": "object",
        "additionalProperties": {
          "type": "object"
        }
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
        "type": "string"
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
        "type": "number"
      },
      "ip_window_seconds": {
        "type": "number"
      },
      "ip_ban_seconds": {
        "type": "number",
        "description": "The first time; each further one is twice as long."
      },
      "ip_longest_ban_seconds": {
        "type": "number"
      },
      "key_max_failures": {
        "type": "null"
      },
      "key_window_seconds": {
        "type": "null"
      },
      "key_ban_seconds": {
        "type": "null"
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
        "type": "number"
      },
      "completion_tokens": {
        "type": "number"
      },
      "total_tokens": {
        "type": "number"
      },
      "prompt_tokens_details": {
        "type": "object",
        "properties": {
          "cached_tokens": {
            "type": "number"
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
        "additionalProperties": false
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
        "type": "string"
      },
      "username": {
        "type": "string"
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "enabled": {
        "type": "boolean"
      },
      "must_change_password": {
        "type": "boolean"
      },
      "created_at": {
        "type": "string"
      },
      "last_login_at": {
        "type": [
          "string",
          "null"
        ]
      },
      "requests_per_minute": {
        "type": [
          "number",
          "null"
        ]
      },
      "tokens_per_day": {
        "type": [
          "number",
          "null"
        ]
      },
      "images_per_day": {
        "type": [
          "number",
          "null"
        ]
      },
      "max_concurrent": {
        "type": [
          "number",
          "null"
        ]
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
        "type": "string"
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
        "type": "boolean"
      },
      "quantization": {
        "type": "string"
      },
      "multimodal_projector": {
        "type": "null"
      },
      "model_format": {
        "type": "string"
      },
      "model_size_in_billions": {
        "type": "number"
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
        "maxItems": 0
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
        ]
      },
      "name": {
        "type": "string"
      },
      "permissions": {
        "type": "array",
        "items": {
          "type": "string"
        }
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
          "type": "string"
        },
        "models": {
          "type": "array",
          "items": {
            "type": "string"
          }
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
            ]
          },
          "param": {
            "type": [
              "string",
              "null"
            ],
            "description": "The field it is about, such as `messages[0].content`."
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
        "additionalProperties": false
      }
    },
    "required": [
      "detail",
      "error"
    ],
    "description": "Our error, and the same sentence where Xinference's clients look for it."
  }
};
